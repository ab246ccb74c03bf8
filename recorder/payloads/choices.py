"""What a person says about the formats of topics, on the command line or in a file, and what each topic then uses.

One spelling everywhere: ``TOPIC=FORMAT`` or ``TOPIC=FORMAT:FILE`` or ``TOPIC=FORMAT:FILE#MESSAGE``; TOPIC may be a
glob (``payments.*``) or ``*``; the first that fits counts. FILE is an `.avsc`, `.proto`, JSON Schema or descriptor set.
"""

from __future__ import annotations

import fnmatch
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from recorder.errors import UsageError
from recorder.payloads.codec import FORMATS, Format
from recorder.payloads.reasons import Side
from recorder.payloads.schemas import Schema, schema_from_file


@dataclass(frozen=True, slots=True)
class Choice:
    """A format, with a schema when that came from a file. Without one, the frame of each payload names it."""

    format: Format
    schema: Schema | None = None


@dataclass(frozen=True, slots=True)
class Choices:
    """What was said, in the order it was said: (glob, choice) for keys and for values."""

    keys: tuple[tuple[str, Choice], ...] = ()
    values: tuple[tuple[str, Choice], ...] = ()

    def of(self, topic: str, side: Side) -> Choice | None:
        """The first that fits, None when nothing was said."""
        said = self.keys if side == "key" else self.values
        return next((choice for pattern, choice in said if fnmatch.fnmatchcase(topic, pattern)), None)

    def before(self, other: Choices) -> Choices:
        """Both; this one has the first word."""
        return Choices(self.keys + other.keys, self.values + other.values)


def parse_choices(keys: Iterable[str] = (), values: Iterable[str] = ()) -> Choices:
    """From ``--key-format`` and ``--value-format`` texts. Raises UsageError."""
    return Choices(tuple(map(parse_choice, keys)), tuple(map(parse_choice, values)))


def typed_choices(keys: Iterable[str], values: Iterable[str], file: Path | None) -> Choices:
    """What the command line says; it has the first word before the file's. Raises UsageError."""
    said = parse_choices(keys, values)
    return said if file is None else said.before(load_choices(file))


def parse_choice(text: str) -> tuple[str, Choice]:
    """(topic glob, choice) of ``TOPIC=FORMAT[:FILE[#MESSAGE]]``. Raises UsageError."""
    topic, equals, rest = text.rpartition("=") if ":" not in text else text.partition("=")
    if not equals or not topic or not rest:
        raise UsageError(f"{text!r} doesn't say a format; write TOPIC=FORMAT or TOPIC=FORMAT:FILE.")
    return topic, choice_of(rest, Path())


def load_choices(path: Path) -> Choices:
    """From a YAML or TOML file: ``{topics: {GLOB: {key: FORMAT[:FILE], value: …}}}``; files are beside it.

    Raises UsageError.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
    except OSError as error:
        raise UsageError(f"{path}: can't read this file: {error.strerror}.") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: {error}".replace("\n", " ")) from error
    topics: Any = content.get("topics") if isinstance(content, dict) else None
    if not isinstance(topics, dict):
        raise UsageError(f"{path}: expected a table of topics, like topics: {{payments: {{value: json}}}}.")
    sides: dict[str, list[tuple[str, Choice]]] = {"key": [], "value": []}
    for topic, said in topics.items():
        if not isinstance(said, dict) or not said or said.keys() - sides.keys():
            raise UsageError(f"{path}: topic {topic} takes key and value, each FORMAT or FORMAT:FILE.")
        for side, choice in said.items():
            sides[side].append((str(topic), choice_of(str(choice), path.parent)))
    return Choices(tuple(sides["key"]), tuple(sides["value"]))


def choice_of(text: str, place: Path) -> Choice:
    """Of ``FORMAT[:FILE[#MESSAGE]]``; a relative FILE starts at `place`. Raises UsageError."""
    name, _, file = text.partition(":")
    format = next((known for known in FORMATS if known == name), None)
    if format is None:
        raise UsageError(f"{name!r} is no format; it can be {', '.join(FORMATS)}.")
    if not file:
        return Choice(format)
    where, _, message = file.partition("#")
    schema = schema_from_file(place / where, message or None)
    expected = "json" if format in ("json", "json-schema") else format
    if schema.kind != expected:
        raise UsageError(f"{where} is a schema of {schema.kind}, not of {format}.")
    return Choice("json-schema" if format == "json" else format, schema)
