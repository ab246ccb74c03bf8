"""What a watcher was told to do, read from its YAML file: every mistake is named by file and line before it starts."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from desensitizers.errors import PolicyError
from desensitizers.yamltree import Tree, parse
from recorder.capture.selection import compile_pattern
from recorder.errors import UsageError
from recorder.kafka.connection import Connection, connect, gather
from recorder.payloads.choices import Choice, Choices, choice_of, load_choices
from recorder.payloads.registry import Registry, connect_registry
from recorder.recording.throttle import parse_megabits
from recorder.watching.payloads import condition
from recorder.watching.triggers import Called, Dropped, OnRecords, Trigger, Way, parse_rate
from recorder.window import parse_duration

T = TypeVar("T")

_FIELDS = (
    "kafka", "topics", "formats", "before", "after", "settle", "out", "state", "socket", "daily_cap", "max_mbps",
    "triggers", "scrub", "http",
)  # fmt: skip
_WAYS: tuple[Way, ...] = ("command", "http", "signal")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_SHORTEST_TOKEN = 16
_LOOPBACK = ("127.", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Scrubbing:
    """Captures are scrubbed by `policy`; until then, raw records stay in memory, below `staging`."""

    policy: Path
    staging: Path
    signing_key: Path | None = None
    """Signs reports; None: BLACKBOX_SIGNING_KEY does, if it is set."""
    quarantine: Path | None = None
    """The directory for records that the policy withholds: an encrypted file for each capture that has any."""
    quarantine_key: Path | None = None
    """The public key that they are encrypted for; None: the policy's."""


@dataclass(frozen=True, slots=True)
class Http:
    """Where health and metrics are served, and triggers when there is a token."""

    host: str
    port: int
    token: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """A watcher's whole configuration; durations in milliseconds, relative paths made absolute."""

    file: Path
    connection: Connection
    registry: Registry | None
    """Where the schemas are that records name."""
    names: tuple[str, ...]
    patterns: tuple[str, ...]
    excludes: tuple[str, ...]
    before_ms: int
    after_ms: int
    settle_ms: int
    """How long after a window's end its recording begins, so that records on their way are in it."""
    out: Path
    state: Path
    socket: Path | None
    """Where `blackbox trigger` reaches the watcher; None: where it looks by itself."""
    daily_cap: int
    max_bytes_per_second: float | None
    """A cap on how fast a capture's keys and values are read; from max_mbps."""
    triggers: tuple[Trigger, ...]
    scrub: Scrubbing | None
    http: Http | None
    formats: Choices = field(default_factory=Choices)
    """What payloads are, for conditions that look into them, where they don't say it themselves."""


def load_settings(path: Path, env: Mapping[str, str] | None = None) -> Settings:
    """Read and check a watcher's file. Relative paths start at its directory; secrets come from `env` (os.environ).

    Raises UsageError with file, line and what to write instead.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"Can't read {path}: {reason}.") from None
    if all(line.lstrip().startswith("#") for line in text.splitlines() if line.strip()):
        raise UsageError(f"{path} is empty: a watcher's file says topics:, out: and triggers:.")
    try:
        return _settings(parse(text, str(path)), path.absolute(), os.environ if env is None else env)
    except PolicyError as error:  # the YAML reader is the one that policies are read with
        raise UsageError(str(error)) from None


def _settings(root: Tree, file: Path, env: Mapping[str, str]) -> Settings:
    fields = root.fields("the watcher's file", _FIELDS, ("topics", "out", "triggers"))
    base = file.parent
    before, after = _duration(fields, "before", "15m"), _duration(fields, "after", "2m")
    if not before + after:
        root.fail("the window is empty: give before: 15m and after: 2m.")
    names, patterns, excludes = _topics(fields["topics"])
    out = _path(fields["out"], base)
    http = _http(fields["http"], env) if "http" in fields else None
    connection, registry = _connection(fields.get("kafka", root), "kafka" in fields, base, env)
    return Settings(
        file=file,
        connection=connection,
        registry=registry,
        names=names,
        patterns=patterns,
        excludes=excludes,
        formats=_formats(fields["formats"], base) if "formats" in fields else Choices(),
        before_ms=before,
        after_ms=after,
        settle_ms=_duration(fields, "settle", "5s"),
        out=out,
        state=_path(fields["state"], base) if "state" in fields else out / ".watch",
        socket=_path(fields["socket"], base) if "socket" in fields else None,
        daily_cap=_cap(fields["daily_cap"]) if "daily_cap" in fields else 20,
        max_bytes_per_second=_megabits(fields["max_mbps"]) if "max_mbps" in fields else None,
        triggers=_triggers(fields["triggers"], base, before + after, http),
        scrub=_scrub(fields["scrub"], base, out) if "scrub" in fields else None,
        http=http,
    )


def _connection(tree: Tree, given: bool, base: Path, env: Mapping[str, str]) -> tuple[Connection, Registry | None]:
    """The cluster and its schema registry; the credentials of both come from the one file."""
    fields = tree.fields("kafka", ("bootstrap", "command_config", "schema_registry")) if given else {}
    servers = fields["bootstrap"].text("bootstrap") if "bootstrap" in fields else env.get("KAFKA_BOOTSTRAP_SERVERS")
    config = _path(fields["command_config"], base) if "command_config" in fields else None
    if not servers and not config:
        tree.fail("no cluster given: write kafka: {bootstrap: HOST:PORT}, or set KAFKA_BOOTSTRAP_SERVERS.")
    connection = _told(tree, lambda: connect(servers, (), config))
    asked = fields.get("schema_registry")
    url = asked.text("schema_registry") if asked else env.get("SCHEMA_REGISTRY_URL")
    registry = _told(asked or tree, lambda: connect_registry(url, gather((), config), flag="schema_registry"))
    return connection, registry


def _topics(tree: Tree) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    fields = tree.fields("topics", ("names", "patterns", "excludes"))
    found = {name: fields[name].elements(name) for name in fields}
    for pattern in (*found.get("patterns", ()), *found.get("excludes", ())):
        _told(pattern, lambda pattern=pattern: compile_pattern(pattern.text("a pattern")))  # type: ignore[misc]
    if not found.get("names") and not found.get("patterns"):
        tree.fail("no topics chosen: write names: [orders], or patterns: ['payments\\..*'].")
    texts = [tuple(one.text("a topic") for one in found.get(name, ())) for name in ("names", "patterns", "excludes")]
    return texts[0], texts[1], texts[2]


def _formats(tree: Tree, base: Path) -> Choices:
    """A table as in a file of formats, or the path of such a file."""
    if tree.is_scalar:
        return _told(tree, lambda: load_choices(_path(tree, base)))
    said: dict[str, list[tuple[str, Choice]]] = {"key": [], "value": []}
    for topic, _key, body in tree.items("formats"):
        for side, one in body.fields(f"formats of {topic}", tuple(said)).items():
            choice = _told(one, lambda one=one: choice_of(one.text("a format"), base))  # type: ignore[misc]
            said[side].append((topic, choice))
    return Choices(tuple(said["key"]), tuple(said["value"]))


def _triggers(tree: Tree, base: Path, window_ms: int, http: Http | None) -> tuple[Trigger, ...]:
    found: list[Trigger] = []
    for name, key, value in tree.items("triggers"):
        if not _NAME.fullmatch(name):
            key.fail(f"'{name}' can't name a capture: use letters, digits, '-' and '_', 63 at most.")
        if value.is_mapping:
            found.append(_condition(name, value, base, window_ms))
            continue
        ways = [value] if value.is_scalar else value.elements(f"trigger {name}")
        by = {way.choice("way to trigger", _WAYS) for way in ways}
        if "http" in by and (http is None or http.token is None):
            value.fail("a trigger by HTTP needs http: {token_env: VARIABLE}, so that not anybody can call it.")
        found.append(Called(name, frozenset(way for way in _WAYS if way in by)))
    if not found:
        tree.fail("there are no triggers: write for example oncall: command.")
    return tuple(found)


def _condition(name: str, tree: Tree, base: Path, window_ms: int) -> Trigger:
    fields = tree.fields(f"trigger {name}", ("file", "topic", "where", "rate", "over", "hold"))
    if "file" in fields:
        if len(fields) > 1:
            tree.fail("a file trigger is a directory and nothing else: {file: DIRECTORY}.")
        return Dropped(name, _path(fields["file"], base))
    if "topic" not in fields:
        tree.fail(f"trigger {name} needs 'topic' (records there trigger) or 'file' (files there trigger).")
    if "over" in fields and "rate" not in fields:
        fields["over"].fail("'over' belongs to a rate: write rate: 10/s beside it.")
    most, over_ms = None, 0
    if rate := fields.get("rate"):
        over_ms = _duration(fields, "over", "5s")
        if not over_ms:
            fields["over"].fail("a rate is counted over some time: write over: 5s.")
        most = _told(rate, lambda: parse_rate(rate.text("rate"), over_ms))
    where = fields["where"].text("where") if "where" in fields else None
    if where is not None:
        _told(fields["where"], lambda: condition(where).close())
    # A condition that goes on holding gives a row of adjoining windows; a record sent to trigger always triggers.
    hold = window_ms if where is not None or rate else 0
    return OnRecords(name, fields["topic"].text("topic"), where, most, over_ms, _duration(fields, "hold", f"{hold}ms"))


def _scrub(tree: Tree, base: Path, out: Path) -> Scrubbing:
    fields = tree.fields("scrub", tuple(one.name for one in dataclasses.fields(Scrubbing)), ("policy",))
    paths = {name: _path(value, base) for name, value in fields.items()}
    found = Scrubbing(**({"staging": Path("/dev/shm")} | paths))
    if found.quarantine_key and not found.quarantine:
        fields["quarantine_key"].fail("'quarantine_key' belongs to a quarantine: write quarantine: DIRECTORY.")
    for other in (out, found.staging):
        if found.quarantine and found.quarantine.resolve().is_relative_to(other.resolve()):
            fields["quarantine"].fail(f"the quarantine lies in {other}: choose a directory outside of it.")
    if found.quarantine and found.quarantine.exists() and not found.quarantine.is_dir():
        fields["quarantine"].fail("the quarantine must be a directory: each capture that needs one gets a file there.")
    return found


def _http(tree: Tree, env: Mapping[str, str]) -> Http:
    fields = tree.fields("http", ("address", "token_env"))
    address = fields["address"].text("address") if "address" in fields else "127.0.0.1:9464"
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        tree.fail(f"'{address}' is not an address: write HOST:PORT, for example 127.0.0.1:9464.")
    token = None
    if "token_env" in fields:
        variable = fields["token_env"].text("token_env")
        token = env.get(variable, "")
        if len(token) < _SHORTEST_TOKEN:
            what = f"is shorter than {_SHORTEST_TOKEN} characters" if token else "is not set"
            fields["token_env"].fail(f"the environment variable {variable} {what}: openssl rand -hex 32 makes a token.")
    elif not host.startswith(_LOOPBACK):
        tree.fail(f"{host} can be reached from other machines: give token_env too, or listen on 127.0.0.1.")
    return Http(host.strip("[]"), int(port), token)


def _cap(tree: Tree) -> int:
    number = tree.scalar("daily_cap")
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        tree.fail("daily_cap must be a whole number from 1 on.")
    return number


def _megabits(tree: Tree) -> float | None:
    number = tree.scalar("max_mbps")
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number < float("inf"):
        tree.fail("max_mbps must be a number of megabits per second, for example 80.")
    return parse_megabits(number)


def _duration(fields: Mapping[str, Tree], name: str, default: str) -> int:
    if name not in fields:
        return parse_duration(default)
    text = fields[name].text(name)
    return 0 if text == "0" else _told(fields[name], lambda: parse_duration(text))


def _path(tree: Tree, base: Path) -> Path:
    return base / Path(tree.text("a path")).expanduser()


def _told(tree: Tree, call: Callable[[], T]) -> T:
    """What `call` gives; its UsageError is told with the file and line of `tree`."""
    try:
        return call()
    except UsageError as error:
        tree.fail(str(error))
