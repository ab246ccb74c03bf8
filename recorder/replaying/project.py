"""What a project says about replays for everybody who works in it: `blackbox.yaml`, here or in a directory above.

replay:
  allow_targets: [MkU3OEVBNTcwNTJENDM2Qk, …]    # cluster ids: replays go nowhere else
"""

from __future__ import annotations

from pathlib import Path

from desensitizers.errors import PolicyError
from desensitizers.yamltree import parse
from recorder.errors import UsageError

PROJECT_FILE = "blackbox.yaml"


def allowed_targets(directory: Path) -> tuple[str, ...]:
    """The cluster ids that the nearest project file above `directory` allows; none when there is no such file.

    Raises UsageError naming file and line.
    """
    here = directory.resolve()
    for place in (here, *here.parents):
        if (file := place / PROJECT_FILE).is_file():
            return _read(file)
    return ()


def _read(file: Path) -> tuple[str, ...]:
    try:
        root = parse(file.read_text(encoding="utf-8"), str(file)).fields("the project", ["replay"])
        if "replay" not in root:
            return ()
        said = root["replay"].fields("replay", ["allow_targets"], required=["allow_targets"])
        found = tuple(entry.text("a cluster id") for entry in said["allow_targets"].elements("allow_targets"))
    except PolicyError as error:
        raise UsageError(str(error)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: can't read this project file: {error}.") from None
    if not found:
        raise UsageError(f"{file}: allow_targets allows no cluster: name one, or remove it.")
    return found
