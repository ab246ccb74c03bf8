"""Whether JSON fits its JSON Schema. Nothing is fetched: a document that the capture does not hold accepts anything.

jsonschema-rs does it: all drafts, a million small values a second, bounded regular expressions and recursion. Schemas
come from captures and may be hostile, so what references blow up is refused before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urljoin

from recorder.payloads.reasons import PayloadError, Reason

Fits = Callable[[Any], bool]
_BASE = "json-schema:///"
_BACKTRACK = 100_000
_MOST = 100_000
"""So many schemas may stand where each reference is replaced by what it refers to."""
_DRAFTS = ("draft-04", "draft-06", "draft-07", "2019-09", "2020-12")


def validator(root: Any, documents: Mapping[str, Any]) -> Fits:
    """A function that says whether a parsed value fits; `documents` are those that the schema refers to, by name.

    Without a known `$schema` it is draft 7, as in Confluent's serializers; formats are not checked. Raises PayloadError
    (schema does not parse) for what is JSON, and no JSON Schema.
    """
    import jsonschema_rs

    try:
        size = _expanded(root, root, documents, {})
    except RecursionError as error:
        raise PayloadError(Reason.TOO_DEEP, "schema") from error
    if size > _MOST:
        raise PayloadError(Reason.BAD_SCHEMA, f"its references expand to more than {_MOST:,} schemas")
    known = _by_uri(root, documents)
    how: dict[str, Any] = {
        "validate_formats": False,
        "retriever": lambda uri: known.get(uri.partition("#")[0], True),
        "pattern_options": jsonschema_rs.FancyRegexOptions(backtrack_limit=_BACKTRACK),
    }
    try:
        if isinstance(root, dict):
            named = str(root.get("$schema", ""))
            if any(draft in named for draft in _DRAFTS) and "json-schema.org" in named:
                return _careful(jsonschema_rs.validator_for(root, **how).is_valid)
            root = {name: item for name, item in root.items() if name != "$schema"}
        return _careful(jsonschema_rs.Draft7Validator(root, **how).is_valid)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError, TypeError) as error:
        why = " ".join(str(error).split())
        raise PayloadError(Reason.BAD_SCHEMA, f"{why:.200}") from error


def _expanded(schema: Any, root: Any, documents: Mapping[str, Any], known: dict[int, int]) -> int:
    """How many schemas `schema` is with its references followed; a recursion counts once. Raises RecursionError."""
    if not isinstance(schema, dict | list):
        return 0
    if (counted := known.get(id(schema))) is not None:
        return counted
    known[id(schema)] = 1
    count = 1 + sum(
        _expanded(item, root, documents, known) for item in (schema.values() if isinstance(schema, dict) else schema)
    )
    if isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
        count += _expanded(*follow(schema["$ref"], root, documents), documents, known)
    known[id(schema)] = count
    return count


def follow(reference: str, root: Any, documents: Mapping[str, Any]) -> tuple[Any, Any]:
    """(what a `$ref` in `root` refers to, its document); (None, root) for what is not here."""
    document, _, path = reference.partition("#")
    if document and document not in documents:
        return None, root
    found = root = documents[document] if document else root
    for part in filter(None, path.split("/")):
        key = part.replace("~1", "/").replace("~0", "~")
        found = found.get(key) if isinstance(found, dict) else None
    return found, root


def _careful(fits: Fits) -> Fits:
    def check(value: Any) -> bool:
        try:
            return fits(value)
        except ValueError:  # deeper than it looks
            return True

    return check


def _by_uri(root: Any, documents: Mapping[str, Any]) -> dict[str, Any]:
    """A name is a URI below that of the schema that refers to it."""
    named = [document.get("$id") for document in (root, *documents.values()) if isinstance(document, dict)]
    bases = [base for base in named if isinstance(base, str)]
    known = {}
    for name, document in documents.items():
        for place in (name, _BASE + name.removeprefix("/"), *(urljoin(base, name) for base in bases)):
            known[place.partition("#")[0]] = document
    return known
