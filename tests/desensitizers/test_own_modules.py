"""A policy's hash changes with what a function of one's own is made of, and with nothing else."""

from __future__ import annotations

import importlib
import sys
import zipfile
from pathlib import Path

import pytest

from desensitizers import own_modules
from desensitizers.errors import PolicyError
from tests.desensitizers.helpers import policy
from tests.desensitizers.installing import forget

BLUR = "def blur(values):\n    return ['?' for value in values]\n"


def write(root: Path, files: dict[str, str]) -> None:
    for name, code in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(code)


def digest(root: Path, function: str) -> str:
    """Of the policy, as a new process would load it."""
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(root)):
            del sys.modules[name]
    importlib.invalidate_caches()
    forget()
    return policy(f"value: {{x: {{rule: custom, function: '{function}'}}}}").sha256


PLACES = {
    "helper.py": "import helper\n" + BLUR,
    "deep/er/helper.py": "import deep.er.helper as it\n" + BLUR,
    "deep/helper.py": "from deep import helper\n" + BLUR,
    "deep/__init__.py": "from deep.helper import x\n" + BLUR,
    "lazy.py": "def blur(values):\n    import lazy\n    return values\n",
}
FILES = {
    "helper.py": "x = 1\n",
    "deep/__init__.py": "",
    "deep/helper.py": "x = 1\n",
    "deep/er/__init__.py": "",
    "deep/er/helper.py": "",
    "lazy.py": "",
    "other.py": "",
}


@pytest.mark.parametrize("place", PLACES)
def test_what_it_imports_from_beside_it_counts(site: Path, place: str) -> None:
    write(site, {**FILES, "ours.py": PLACES[place]})
    first = digest(site, "ours:blur")
    assert digest(site, "ours:blur") == first
    write(site, {"other.py": "y = 3\n"})
    assert digest(site, "ours:blur") == first
    write(site, {place: FILES[place] + "y = 2\n"})
    assert digest(site, "ours:blur") != first


@pytest.mark.parametrize("changed", ["company/__init__.py", "company/words.py", "company/text/far.py", "shared.py"])
def test_so_do_relative_imports_packages_above_and_what_they_import_in_turn(site: Path, changed: str) -> None:
    files = {
        "company/__init__.py": "",
        "company/scrub.py": "from . import words\n" + BLUR,
        "company/words.py": "from .text.far import x\nfrom company import scrub\n",
        "company/text/far.py": "import shared\nx = 1\n",
        "shared.py": "",
    }
    write(site, files)
    first = digest(site, "company.scrub:blur")
    write(site, {changed: files[changed] + "y = 2\n"})
    assert digest(site, "company.scrub:blur") != first


def test_what_others_installed_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site-packages"
    write(site, {"plug/__init__.py": "import theirs\nimport plug.own\nimport json\n" + BLUR, "plug/own.py": ""})
    write(site, {"theirs.py": ""})
    monkeypatch.syspath_prepend(site)
    first = digest(tmp_path, "plug:blur")
    write(site, {"theirs.py": "y = 2\n"})
    assert digest(tmp_path, "plug:blur") == first
    write(site, {"plug/own.py": "y = 2\n"})
    assert digest(tmp_path, "plug:blur") != first


def test_an_archive_counts_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for number in (1, 2):
        file = tmp_path / f"{number}.zip"
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(zipfile.ZipInfo("zipped.py"), "import zipped_helper\n" + BLUR)
            archive.writestr(zipfile.ZipInfo("zipped_helper.py"), f"x = {number}\n")
        with monkeypatch.context() as patch:
            patch.syspath_prepend(file)
            found.append(digest(tmp_path, "zipped:blur"))
    digest(tmp_path, "textwrap:dedent")  # leaves nothing of the archive loaded
    assert found[0] != found[1]


def test_what_cant_be_read_or_is_too_much_is_said(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(site, {"ours.py": "def blur(values):\n    import broken\n    return values\n", "broken.py": "def\n"})
    with pytest.raises(PolicyError, match=r"test.yaml:1\d: 'ours' imports 'broken', whose file can't be read \(Syntax"):
        digest(site, "ours:blur")
    write(site, {"broken.py": "import more\n", "more.py": ""})
    monkeypatch.setattr(own_modules, "MOST_FILES", 2)
    with pytest.raises(PolicyError, match="'ours' imports more than 2 files"):
        digest(site, "ours:blur")
