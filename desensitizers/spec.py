"""A policy as plain frozen data: what was written, checked for sense, before any key is derived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Union, get_args

from desensitizers.conditions import Condition
from desensitizers.domains import DomainSpec
from desensitizers.errors import Cause
from desensitizers.provenance import Foreign
from desensitizers.rules.base import OptionValue

UnknownField = Literal["fail", "drop", "mask", "quarantine"]
Undecodable = Literal["fail", "quarantine", "replace"]
Otherwise = Literal["fail", "quarantine"]
SETTINGS: dict[str, tuple[str, ...]] = {
    "unknown_field": get_args(UnknownField),
    "undecodable": get_args(Undecodable),
    "unknown_schema": get_args(Otherwise),
    "plugin_error": get_args(Otherwise),
}
"""What a policy may say about records that it can't answer for, by cause; a topic may say it otherwise."""
Format = Literal[
    "auto", "json", "avro", "protobuf", "json-schema",
    "string", "bytes", "int16", "int32", "int64", "float", "double", "uuid",
]  # fmt: skip
FORMATS: tuple[Format, ...] = (
    "json", "avro", "protobuf", "json-schema",
    "string", "bytes", "int16", "int32", "int64", "float", "double", "uuid",
)  # fmt: skip
"""What a policy may write; `auto` is what it gets where it names paths and no format."""
WIDTHS: dict[str, int] = {"int16": 2, "int32": 4, "int64": 8, "float": 4, "double": 8}
"""Bytes of what Java's serializers make of numbers, big-endian."""
WITH_FIELDS: frozenset[Format] = frozenset({"auto", "json", "avro", "protobuf", "json-schema"})


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """A rule at one place."""

    rule: str
    line: int
    domain: str = ""
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    types: frozenset[str] | None = None
    """JSON types it accepts (string, number, boolean); None is every type the rule can take."""
    learn: bool | None = None
    """Whether what it removes is searched in the finished copy; None leaves it to `learns`."""
    when: tuple[Condition, ...] = ()
    """All must hold, or the rule is as if it were not there."""
    file: str = ""

    def learns(self, path: str) -> bool:
        """By default all that a rule removes is an original, except what a wildcard merely drops or empties."""
        if self.learn is not None:
            return self.learn
        if self.rule == "keep":
            return False
        return not (self.rule in ("drop", "null") and path.endswith("*"))


@dataclass(frozen=True, slots=True)
class ExtractSpec:
    """Text that carries values in named groups of a pattern which must match all of it."""

    pattern: str
    groups: tuple[tuple[str, RuleSpec | InsideSpec], ...]
    line: int
    when: tuple[Condition, ...] = ()
    file: str = ""


@dataclass(frozen=True, slots=True)
class InsideSpec:
    """Text that holds something else, maybe encoded (outermost first): a text with one rule, or fields with paths."""

    encodings: tuple[str, ...]
    form: Literal["text", "json", "jwt", "query"]
    line: int
    leaf: Leaf | None = None
    paths: tuple[tuple[str, Leaf], ...] = ()
    unknown: UnknownField = "fail"
    when: tuple[Condition, ...] = ()
    file: str = ""


Leaf = Union[RuleSpec, ExtractSpec, InsideSpec]  # noqa: UP007  (a name that is only written below)


@dataclass(frozen=True, slots=True)
class PayloadSpec:
    """A key, a header value or a record value: a JSON document with paths, or one scalar."""

    format: Format
    line: int
    leaf: Leaf | None = None
    """For the scalar formats."""
    paths: tuple[tuple[str, Leaf], ...] = ()
    """For formats with fields: pattern and rule, in policy order."""

    @property
    def has_fields(self) -> bool:
        return self.format in WITH_FIELDS


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """What happens to the topics whose name matches."""

    match: str
    line: int
    key: PayloadSpec | None
    headers: tuple[tuple[str, PayloadSpec], ...]
    value: PayloadSpec | None
    unknown_field: UnknownField
    undecodable: Undecodable
    unknown_schema: Otherwise = "fail"
    plugin_error: Otherwise = "fail"
    file: str = ""
    header_names: Leaf | None = None
    """The rule for names of headers that no pattern writes out."""

    def setting(self, cause: Cause) -> str:
        """What becomes of a record that may not pass for this cause."""
        return "fail" if cause == "unfit" else str(getattr(self, cause))

    @property
    def withholds(self) -> bool:
        """Whether any record may go to quarantine."""
        return any(getattr(self, name) == "quarantine" for name in SETTINGS)


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """A whole policy."""

    file: str
    sha256: str
    secret_env: str
    domains: tuple[DomainSpec, ...]
    topics: tuple[TopicSpec, ...]
    proof_detectors: tuple[str, ...]
    schema_tags: tuple[tuple[str, Leaf], ...] = ()
    quarantine_key: str = ""
    """The file of the public key that a quarantine is encrypted for, if the policy names one."""
    foreign: tuple[Foreign, ...] = ()
    """The code of others that its rules and detectors are."""
