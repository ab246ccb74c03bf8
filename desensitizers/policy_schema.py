"""The JSON Schema of policies, for editors: made of the same tables that the parser reads, so it can't lag behind.

It says what may be written where; what a rule makes of its place is the parser's to say.
"""

from __future__ import annotations

from typing import Any

from desensitizers import detectors, rules
from desensitizers.canonical import FUNCTIONS
from desensitizers.conditions import TESTS
from desensitizers.domains import OPTIONS as DOMAIN_OPTIONS
from desensitizers.imports import NAMES
from desensitizers.parsing_rules import LEAF_TYPES
from desensitizers.rules.base import Option, Rule
from desensitizers.spec import FORMATS, SETTINGS
from desensitizers.surrogates.kinds import KINDS

_SCALAR = {"type": ["string", "number", "boolean"]}
_TEXTS = {"type": "array", "items": {"type": "string"}}
_OPTIONS: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "count": {"type": "integer", "minimum": 0},
    "number": {"type": "number", "minimum": 0},
    "flag": {"type": "boolean"},
    "scalar": _SCALAR,
    "detectors": {"type": "array", "items": {"enum": [*detectors.names(), detectors.LEARNED]}},
    "numbers": {"type": "array", "items": {"type": "number"}},
    "map": {"type": "object", "additionalProperties": _SCALAR},
    "file": {"type": "string"},
    "path": {"type": "string"},
}
_TYPES: dict[type, str] = {str: "string", int: "integer", bool: "boolean"}


def policy_schema() -> dict[str, Any]:
    """A JSON Schema, draft 2020-12."""
    properties: dict[str, Any] = {
        "version": {"const": 1},
        "secret": _object({"env": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}}, "env"),
        "defaults": _object(_settings()),
        "domains": {"type": "object", "additionalProperties": _domain()},
        "schema_tags": {"type": "object", "additionalProperties": {"$ref": "#/$defs/rule"}},
        "topics": {"type": "array", "items": _topic()},
        "proof": _object({"detectors": {"type": "array", "items": {"enum": list(detectors.names())}}}, "detectors"),
        "quarantine": _object({"key": {"type": "string"}}, "key"),
        "imports": _TEXTS,
    }
    assert properties.keys() == set(NAMES)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "blackbox policy",
        **_object(properties, "version"),
        "$defs": {
            "rule": _rule(),
            "extract": {
                "type": "object",
                "required": ["extract"],
                "properties": {"extract": {"type": "string"}},
                "additionalProperties": {"$ref": "#/$defs/leaf"},
            },
            "leaf": {"anyOf": [{"$ref": "#/$defs/rule"}, {"$ref": "#/$defs/extract"}]},
            "payload": {
                "anyOf": [
                    {"$ref": "#/$defs/leaf"},
                    {
                        "type": "object",
                        "properties": {"format": {"enum": list(FORMATS)}},
                        "additionalProperties": {"anyOf": [{"$ref": "#/$defs/leaf"}, _SCALAR, {"type": "object"}]},
                    },
                ]
            },
        },
    }


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _settings() -> dict[str, Any]:
    return {name: {"enum": list(choices)} for name, choices in SETTINGS.items()}


def _domain() -> dict[str, Any]:
    kinds = (DOMAIN_OPTIONS, *(one.options for one in KINDS.values()))
    options = {name: {"type": _TYPES[kind]} for known in kinds for name, kind in known.items()}
    return _object({"surrogate": {"enum": list(KINDS)}, "canonical": {"enum": list(FUNCTIONS)}, **options})


def _topic() -> dict[str, Any]:
    payload = {"$ref": "#/$defs/payload"}
    headers = {"type": "object", "additionalProperties": payload}
    return _object(
        {"match": {"type": "string"}, "key": payload, "headers": headers, "value": payload, **_settings()}, "match"
    )


def _rule() -> dict[str, Any]:
    """A rule's name alone, or a mapping: by rule, each with its options, or by domain."""
    plain = [name for name in rules.names() if not _declared(name).required and _declared(name).domain != "required"]
    mappings = [_mapping({"rule": {"const": name}}, _declared(name), "rule") for name in rules.names()]
    return {
        "anyOf": [
            {"enum": plain},
            *mappings,
            _mapping({}, _declared("pseudonym"), "domain"),
        ]
    }


def _mapping(first: dict[str, Any], rule: Rule, *required: str) -> dict[str, Any]:
    test = {"in": {"type": "array"}, "not_in": {"type": "array"}, "matches": {"type": "string"}}
    condition = _object({**test, "exists": {"type": "boolean"}})
    assert condition["properties"].keys() == set(TESTS)
    found = {
        **first,
        "type": {"enum": list(LEAF_TYPES)},
        "learn": {"type": "boolean"},
        "when": {"type": "object", "additionalProperties": {"anyOf": [_SCALAR, condition]}},
        **{name: _option(option) for name, option in rule.options.items()},
    }
    if rule.domain != "none":
        found["domain"] = {"type": "string"}
    needed = {*required, *rule.required, *(("domain",) if rule.domain == "required" else ())}
    return {"description": rule.summary, **_object(found, *sorted(needed))}


def _option(option: Option) -> dict[str, Any]:
    kind = {"enum": list(option.choices)} if option.choices else _OPTIONS[option.kind]
    return {"description": option.summary, **kind}


def _declared(name: str) -> Rule:
    return rules.rule(name)
