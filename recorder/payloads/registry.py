"""Asking a schema registry that speaks Confluent's API for schemas: only reads (see `registering` for what writes).

What it answers is not trusted: anything but a schema costs that schema, with a reason, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recorder.errors import BlackboxError, UsageError
from recorder.kafka.properties import Property, hide_secrets
from recorder.payloads import asking
from recorder.payloads.protobuf_schema import with_descriptor
from recorder.payloads.reasons import PayloadError, Side
from recorder.payloads.schemas import REFERENCES_LIMIT, Reference, Schema, SchemaBook, SchemaKind, SubjectVersion

READ_SECONDS = 10
"""For one read of an answer."""
ANSWER_SECONDS = 25
"""For a whole answer, a second try included."""
ODD_IN_A_ROW = 3
"""So many refused or senseless answers one after the other, and the rest is not asked for."""
_KINDS: dict[str, SchemaKind] = {"AVRO": "avro", "PROTOBUF": "protobuf", "JSON": "json"}
_NOT_HERE = {404, 422}
_NO_SUCH_QUESTION = {404, 405, 501}
_OWN_PREFIX = "schema.registry."
_RENAMED = {"ssl.truststore.location": "ssl.ca.location", "ssl.keystore.location": "ssl.certificate.location"}
_DROPPED = {"basic.auth.credentials.source", "ssl.truststore.type", "ssl.keystore.type", "ssl.truststore.password"}
_STORES = (".jks", ".p12", ".pfx")
_WITHOUT_USER = re.compile(r"//[^/@\s]*@")
_CREDENTIALS = "Check the credentials (basic.auth.user.info, bearer.auth.token)."


class RegistryError(BlackboxError):
    """The registry does not answer, or does not let us. `status` is HTTP's, `reason` what it said, when it spoke."""

    def __init__(self, message: str, *, status: int | None = None, code: int | None = None, reason: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.reason = status, code, reason

    @property
    def down(self) -> bool:
        """Nobody answered, so asking again is no use."""
        return self.status is None and not isinstance(self, OddAnswerError)


class OddAnswerError(RegistryError):
    """It answers, and not with this schema: it may have others."""


class _NotThereError(Exception):
    """The registry answered: it has no such thing."""


@dataclass(frozen=True)
class Fetched:
    """What a registry gave. `unknown`: it has no such schema; `unresolved`: it did not give these, and why."""

    schemas: tuple[Schema, ...] = ()
    unknown: tuple[int | str, ...] = ()
    unresolved: Mapping[int | str, str] = field(default_factory=dict)


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
        too_slow: Callable[[], bool] = lambda: False,
    ) -> Fetched:
        """Schemas by id or GUID, with all that they refer to; those that we `have` are not asked for again.

        `named_by` says which topics and sides name a schema, for registries that don't tell a schema's subjects.
        Once `too_slow`, no more are asked for. Doesn't raise for a registry that is down: see `Fetched.unresolved`.
        """
        book = SchemaBook(have)
        unknown: list[int | str] = []
        unresolved: dict[int | str, str] = {}
        waiting = [key for key in sorted(set(wanted), key=str) if book.find(key) is None]
        odd = 0
        while waiting:
            key = waiting[0]
            try:
                if too_slow():
                    raise RegistryError(f"The schema registry {self.place} is too slow to be asked for all of them.")
                schema = self._schema(key, named_by(key))
                self._add_references(schema, book, 0)
                book.add(schema)
                odd = 0
            except _NotThereError:
                unknown.append(key)
                odd = 0
            except RegistryError as error:
                odd += 1
                if not isinstance(error, OddAnswerError) or odd == ODD_IN_A_ROW:
                    unresolved |= dict.fromkeys(waiting, str(error))
                    break
                unresolved[key] = str(error)
            waiting.pop(0)
        return Fetched(self._compiled(book), tuple(unknown), unresolved)

    def _schema(self, key: int | str, named_by: Iterable[tuple[str, Side]]) -> Schema:
        if isinstance(key, str):
            found = self._ask("get_schema_by_guid", key)
            return self._read(found, guid=key, subjects=tuple(sorted(self._usual_subjects(key, named_by))))
        found = self._ask("get_schema", key)
        return self._read(found, id=key, subjects=self._subjects(key, named_by))

    def _subjects(self, key: int, named_by: Iterable[tuple[str, Side]]) -> tuple[SubjectVersion, ...]:
        """All subjects and versions of an id; where that can't be asked, those of the topics' usual subjects.

        A schema without them is better than none: what goes wrong here costs nothing else.
        """
        try:
            versions = self._ask("get_schema_versions", key)
            found = [(entry.subject, entry.version) for entry in versions]
            if found and all(isinstance(subject, str) and isinstance(version, int) for subject, version in found):
                return tuple(sorted({SubjectVersion(*entry) for entry in found}))
        except (_NotThereError, OddAnswerError):
            pass
        return tuple(sorted(self._usual_subjects(key, named_by)))

    def _usual_subjects(self, key: int | str, named_by: Iterable[tuple[str, Side]]) -> set[SubjectVersion]:
        """Versions of the topics' usual subjects that are this schema."""
        found = set()
        for subject in {f"{topic}-{side}" for topic, side in named_by}:
            try:
                for version in self._ask("get_versions", subject):
                    entry = self._ask("get_version", subject, version)
                    if key in (entry.schema_id, entry.guid):
                        found.add(SubjectVersion(subject, int(version)))
            except (_NotThereError, OddAnswerError, TypeError, ValueError):
                continue
        return found

    def _add_references(self, schema: Schema, book: SchemaBook, depth: int) -> None:
        for reference in schema.references:
            if book.version(reference.subject, reference.version) is not None:
                continue
            if len(book) > REFERENCES_LIMIT or depth > 50:
                return  # decoding will say which reference is missing
            try:
                entry = self._ask("get_version", reference.subject, reference.version, True)  # deleted ones too
            except _NotThereError:
                continue
            needed = self._read(
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
        """`ask`, where what is not there is no error of its own: raises _NotThereError for that."""
        try:
            return self.ask(question, *what)
        except RegistryError as error:
            if error.status == 404 and question == "get_schema" and not (error.code or -1) > 0:
                raise self._odd(f"answers 404 for schema {what[0]}, and not as a schema registry does") from None
            if error.status in _NOT_HERE | _NO_SUCH_QUESTION:
                raise _NotThereError from None
            raise

    def ask(self, question: str, *what: Any) -> Any:
        """Ask the client a question by its method's name. Raises RegistryError."""
        import httpx2
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        client = self._connected()
        asked = " version ".join(str(one) for one in what[:2] if isinstance(one, int | str))
        try:
            return asking.within(ANSWER_SECONDS, lambda: getattr(client, question)(*what))
        except SchemaRegistryError as error:
            status = error.http_status_code
            kind = RegistryError if status == 401 else OddAnswerError
            advice = f" {_CREDENTIALS}" if status in {401, 403} else ""
            raise kind(
                f"The schema registry {self.place} answers {status} for schema {asked}.{advice}",
                status=status,
                code=error.error_code,
                reason=self._hidden(f"{error.error_message!s:.300}"),
            ) from None
        except (httpx2.TimeoutException, asking.TooLateError):
            self._client = None
            raise RegistryError(f"The schema registry {self.place} gave no answer in time.") from None
        except asking.TooLargeError:
            raise self._odd(f"gives more than {asking.ANSWER_BYTES >> 20} MiB for schema {asked}") from None
        except (httpx2.HTTPError, OSError) as error:
            why = self._hidden(str(error) or type(error).__name__)
            raise RegistryError(f"The schema registry {self.place} can't be reached: {why}.") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise self._odd(f"does not answer as a schema registry does ({self._hidden(f'{error!s:.200}')})") from None

    def _read(self, found: Any, **known: Any) -> Schema:
        """A schema of the client's as one of ours. Raises OddAnswerError."""
        try:
            return _schema(found, **known)
        except (ValueError, TypeError, AttributeError) as error:
            raise self._odd(f"gives what is no schema ({self._hidden(f'{error!s:.200}')})") from None

    def _odd(self, what: str) -> OddAnswerError:
        return OddAnswerError(f"{self.place} {what}: is the URL right?")

    def _hidden(self, text: str) -> str:
        return _WITHOUT_USER.sub("//", hide_secrets(text, dict(self.settings)))

    def written(self, schema: Schema, references: Sequence[Reference] = ()) -> Any:
        """A schema as the client sends it, referring to `references`."""
        from confluent_kafka.schema_registry import Schema as Written
        from confluent_kafka.schema_registry import SchemaReference

        refers = [SchemaReference(entry.name, entry.subject, entry.version) for entry in references]
        return Written(schema.text, schema.kind.upper(), refers)

    def _connected(self) -> Any:
        if self._client is None:
            from confluent_kafka.schema_registry import SchemaRegistryClient

            # A registry that is down must not hold up a recording: one more try, and soon.
            patience = {"timeout": READ_SECONDS, "max.retries": 1, "retries.wait.ms": 200}
            try:
                self._client = SchemaRegistryClient({"url": self.url, **patience, **self.settings})
            except (ValueError, TypeError, OSError) as error:
                raise UsageError(f"The schema registry's settings can't be used: {self._hidden(str(error))}.") from None
            asking.bound(self._client._rest_client.session)
        return self._client

    @property
    def place(self) -> str:
        """The URL without credentials."""
        return _WITHOUT_USER.sub("//", self.url)


def connect_registry(
    url: str | None, properties: Sequence[Property] = (), *, flag: str = "--schema-registry"
) -> Registry | None:
    """The registry of `flag`, else of the property `schema.registry.url`; None when there is neither.

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
        raise UsageError(f"{flag} takes a URL, like http://localhost:8081.")
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
        raise ValueError(f"type {found.schema_type!r:.60}, text of type {type(found.schema_str).__name__}")
    found.schema_str.encode()  # half a surrogate pair can't be kept
    references = tuple(Reference(entry.name, entry.subject, entry.version) for entry in found.references or ())
    if not all(
        isinstance(one.name, str) and isinstance(one.subject, str) and isinstance(one.version, int)
        for one in references
    ):
        raise ValueError("references without name, subject or version")
    return Schema(kind, found.schema_str, references=references, **known)
