"""Asking a schema registry that speaks Confluent's API for schemas: only reads, and stops asking one that is down."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recorder.errors import BlackboxError, UsageError
from recorder.kafka.properties import Property, hide_secrets
from recorder.payloads.protobuf_schema import with_descriptor
from recorder.payloads.reasons import PayloadError, Side
from recorder.payloads.schemas import REFERENCES_LIMIT, Reference, Schema, SchemaBook, SchemaKind, SubjectVersion

ANSWER_SECONDS = 10
_KINDS: dict[str, SchemaKind] = {"AVRO": "avro", "PROTOBUF": "protobuf", "JSON": "json"}
_NOT_HERE = {404, 422}
_NO_SUCH_QUESTION = {404, 405, 501}
_OWN_PREFIX = "schema.registry."
_RENAMED = {"ssl.truststore.location": "ssl.ca.location", "ssl.keystore.location": "ssl.certificate.location"}
_DROPPED = {"basic.auth.credentials.source", "ssl.truststore.type", "ssl.keystore.type", "ssl.truststore.password"}
_STORES = (".jks", ".p12", ".pfx")


class RegistryError(BlackboxError):
    """The registry does not answer, or does not let us ask."""


class _NotThereError(Exception):
    """The registry answered: it has no such thing."""


@dataclass(frozen=True)
class Fetched:
    """What a registry gave. `unknown`: it has no such schema; `unresolved`: it could not be asked, for `why`."""

    schemas: tuple[Schema, ...] = ()
    unknown: tuple[int | str, ...] = ()
    unresolved: tuple[int | str, ...] = ()
    why: str = ""


@dataclass
class Registry:
    """A registry at `url` (several, with commas between them: the first that answers counts)."""

    url: str
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    _client: Any = field(default=None, repr=False)

    def fetch(
        self,
        wanted: Iterable[int | str],
        *,
        have: Sequence[Schema] = (),
        named_by: Callable[[int | str], Iterable[tuple[str, Side]]] = lambda key: (),
    ) -> Fetched:
        """Schemas by id or GUID, with all that they refer to; those that we `have` are not asked for again.

        `named_by` says which topics and sides name a schema, for registries that don't tell a schema's subjects.
        Doesn't raise for a registry that is down: see `Fetched.unresolved`.
        """
        book = SchemaBook(have)
        unknown: list[int | str] = []
        waiting = [key for key in sorted(set(wanted), key=str) if book.find(key) is None]
        while waiting:
            key = waiting[0]
            try:
                schema = self._schema(key, named_by(key))
                self._add_references(schema, book, 0)
                book.add(schema)
            except _NotThereError:
                unknown.append(key)
            except RegistryError as error:
                return Fetched(self._compiled(book), tuple(unknown), tuple(waiting), str(error))
            waiting.pop(0)
        return Fetched(self._compiled(book), tuple(unknown))

    def _schema(self, key: int | str, named_by: Iterable[tuple[str, Side]]) -> Schema:
        if isinstance(key, str):
            found = self._ask("get_schema_by_guid", key)
            return _schema(found, guid=key)
        found = self._ask("get_schema", key)
        return _schema(found, id=key, subjects=self._subjects(key, named_by))

    def _subjects(self, key: int, named_by: Iterable[tuple[str, Side]]) -> tuple[SubjectVersion, ...]:
        """All subjects and versions of an id; where that can't be asked, those of the topics' usual subjects."""
        try:
            versions = self._ask("get_schema_versions", key)
            found = [SubjectVersion(entry.subject, entry.version) for entry in versions]
            if all(entry.subject and entry.version for entry in found):
                return tuple(sorted(set(found)))
        except _NotThereError:
            pass
        return tuple(sorted(self._usual_subjects(key, named_by)))

    def _usual_subjects(self, key: int, named_by: Iterable[tuple[str, Side]]) -> set[SubjectVersion]:
        found = set()
        for subject in {f"{topic}-{side}" for topic, side in named_by}:
            try:
                for version in self._ask("get_versions", subject):
                    entry = self._ask("get_version", subject, version)
                    if entry.schema_id == key:
                        found.add(SubjectVersion(subject, version))
            except _NotThereError:
                continue
        return found

    def _add_references(self, schema: Schema, book: SchemaBook, depth: int) -> None:
        for reference in schema.references:
            if book.version(reference.subject, reference.version) is not None:
                continue
            if len(book) > REFERENCES_LIMIT or depth > 50:
                return  # decoding will say which reference is missing
            try:
                entry = self._ask("get_version", reference.subject, reference.version)
            except _NotThereError:
                continue
            needed = _schema(
                entry.schema,
                id=entry.schema_id,
                subjects=(SubjectVersion(reference.subject, reference.version),),
            )
            book.add(needed)
            self._add_references(needed, book, depth + 1)

    def _compiled(self, book: SchemaBook) -> tuple[Schema, ...]:
        """Protobuf schemas with their compiled form, where a compiler is installed: reading needs none then."""
        schemas = []
        for schema in {id(schema): schema for schema in book}.values():
            if schema.kind == "protobuf" and schema.descriptor is None:
                with suppress(PayloadError):  # the text is kept; decoding says what is wrong with it
                    schema = with_descriptor(schema, book.referenced(schema))
            schemas.append(schema)
        return tuple(schemas)

    def _ask(self, question: str, *what: int | str) -> Any:
        """Ask the client a question by its method's name. Raises _NotThereError, or RegistryError for a registry that
        is down or refuses.
        """
        import httpx2
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        try:
            return getattr(self._connected(), question)(*what)
        except SchemaRegistryError as error:
            if error.http_status_code in _NOT_HERE | _NO_SUCH_QUESTION:
                raise _NotThereError from None
            refused = error.http_status_code in {401, 403}
            advice = " Check the credentials (basic.auth.user.info, bearer.auth.token)." if refused else ""
            asked = " version ".join(map(str, what))
            raise RegistryError(
                f"The schema registry {self._place} answers {error.http_status_code} for schema {asked}.{advice}"
            ) from None
        except httpx2.TimeoutException:
            raise RegistryError(f"The schema registry {self._place} gave no answer in {ANSWER_SECONDS} s.") from None
        except (httpx2.HTTPError, OSError) as error:
            why = hide_secrets(str(error) or type(error).__name__, dict(self.settings))
            raise RegistryError(f"The schema registry {self._place} can't be reached: {why}.") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            why = hide_secrets(f"{error!s:.200}", dict(self.settings))
            raise RegistryError(
                f"{self._place} does not answer as a schema registry does ({why}): is the URL right?"
            ) from None

    def _connected(self) -> Any:
        if self._client is None:
            from confluent_kafka.schema_registry import SchemaRegistryClient

            # A registry that is down must not hold up a recording: one more try, and soon.
            patience = {"timeout": ANSWER_SECONDS, "max.retries": 1, "retries.wait.ms": 200}
            try:
                self._client = SchemaRegistryClient({"url": self.url, **patience, **self.settings})
            except (ValueError, TypeError, OSError) as error:
                raise UsageError(
                    f"The schema registry's settings can't be used: {hide_secrets(str(error), dict(self.settings))}."
                ) from None
        return self._client

    @property
    def _place(self) -> str:
        """The URL without credentials."""
        return re.sub(r"//[^/@]*@", "//", self.url)


def connect_registry(url: str | None, properties: Sequence[Property] = ()) -> Registry | None:
    """The registry of `--schema-registry`, else of the property `schema.registry.url`; None when there is neither.

    Opens no connection. UsageError for a URL that is none, settings that have no counterpart, a missing extra.
    """
    given = {
        entry.key.removeprefix(_OWN_PREFIX): entry
        for entry in properties
        if entry.key.startswith((_OWN_PREFIX, "basic.auth.", "bearer.auth."))
    }
    written = given.pop("url", None)
    url = url or (written.value if written else None)
    if not url:
        return None
    if not all(re.match(r"https?://[^\s/]", part.strip()) for part in url.split(",")):
        raise UsageError("--schema-registry takes a URL, like http://localhost:8081.")
    try:
        import httpx2  # noqa: F401 - what confluent-kafka's client needs, and the extra brings
    except ImportError:
        raise UsageError(
            "A schema registry needs the extra `registry`: pip install 'kafka-blackbox[registry]'."
        ) from None
    return Registry(url, _settings(given))


def _settings(given: Mapping[str, Property]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, entry in given.items():
        if key in _DROPPED:
            continue
        if key in _RENAMED and entry.value.lower().endswith(_STORES):
            raise UsageError(
                f"{entry.where}: the schema registry's client reads PEM files: export {Path(entry.value).name} "
                f"(openssl pkcs12 -nokeys …) and name it in {_OWN_PREFIX}{_RENAMED[key]}."
            )
        found[_RENAMED.get(key, key)] = entry.value
    if "bearer.auth.token" in found:
        found.setdefault("bearer.auth.credentials.source", "STATIC_TOKEN")
        found.setdefault("bearer.auth.logical.cluster", "")
    return found


def _schema(found: Any, **known: Any) -> Schema:
    kind = _KINDS.get(found.schema_type or "AVRO")
    if kind is None or not isinstance(found.schema_str, str):
        raise ValueError(f"a schema of type {found.schema_type}")
    references = tuple(Reference(entry.name, entry.subject, entry.version) for entry in found.references or ())
    return Schema(kind, found.schema_str, references=references, **known)
