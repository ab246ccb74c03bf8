"""A watcher's file is checked whole before anything begins; mistakes are named by file, line and what to write."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from recorder.errors import UsageError
from recorder.watching.settings import Scrubbing, Settings, load_settings
from recorder.watching.state import Pending
from recorder.watching.take import request_of
from recorder.watching.triggers import Called, Dropped, OnRecords

ENV = {"TOKEN": "0123456789abcdef"}
SMALL = """\
kafka: {bootstrap: broker:9092}
topics: {names: [orders]}
out: captures
triggers:
  oncall: command
"""


def load(root: Path, text: str, env: dict[str, str] = ENV) -> Settings:
    (root / "watch.yaml").write_text(dedent(text))
    return load_settings(root / "watch.yaml", env)


def complaint(root: Path, text: str, env: dict[str, str] = ENV) -> str:
    with pytest.raises(UsageError) as caught:
        load(root, text, env)
    return str(caught.value).replace(f"{root}/", "")


def test_a_small_file_has_good_defaults(tmp_path: Path) -> None:
    found = load(tmp_path, SMALL)
    assert (found.before_ms, found.after_ms, found.settle_ms, found.daily_cap) == (900_000, 120_000, 5_000, 20)
    assert found.out == tmp_path / "captures"
    assert found.state == tmp_path / "captures" / ".watch"
    assert (found.socket, found.scrub, found.http) == (None, None, None)
    assert found.triggers == (Called("oncall", frozenset({"command"})),)


def test_formats_stand_in_the_file_or_in_one_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "paid.avsc").write_text('{"type": "record", "name": "Paid", "fields": []}')
    table = "{'paid.*': {key: long, value: 'avro:paid.avsc'}, '*': {value: json}}"
    inline = load(tmp_path, f"{SMALL}formats: {table}\n").formats
    assert [choice and choice.format for choice in (inline.of("paid.x", "key"), inline.of("x", "key"))] == [
        "long",
        None,
    ]
    avro, json = inline.of("paid.x", "value"), inline.of("x", "value")
    assert avro is not None and avro.schema is not None
    assert json is not None and (avro.format, json.format, json.schema) == ("avro", "json", None)
    (tmp_path / "formats.yaml").write_text(f"topics: {table}\n")
    assert load(tmp_path, f"{SMALL}formats: formats.yaml\n").formats == inline
    assert load(tmp_path, SMALL).formats.of("x", "value") is None


@pytest.mark.parametrize(
    ("formats", "says"),
    [
        ("{paid: {value: jsn}}", "watch.yaml:6: 'jsn' is no format"),
        ("{paid: {values: json}}", "watch.yaml:6: unknown name 'values'"),
        ("{paid: {value: 'avro:none.avsc'}}", "none.avsc"),
        ("nothing.yaml", "nothing.yaml: can't read this file"),
    ],
)
def test_a_format_that_is_none_is_named(tmp_path: Path, formats: str, says: str) -> None:
    assert says in complaint(tmp_path, f"{SMALL}formats: {formats}\n")


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    (tmp_path / "client.properties").write_text("bootstrap.servers=broker:9092\nbasic.auth.user.info=me:s3cr3t\n")
    found = load(
        tmp_path,
        r"""
        kafka: {command_config: client.properties, schema_registry: 'http://registry:8081'}
        topics:
          names: [orders]
          patterns: ['payments\..*']
          excludes: ['.*\.metrics']
        before: 10m
        after: 0
        settle: 500ms
        out: /srv/captures
        state: place
        socket: here.sock
        daily_cap: 3
        max_mbps: 8
        triggers:
          oncall: [command, http]
          drain: signal
          handoff: {file: drop}
          control: {topic: ops}
          burst: {topic: dlq, rate: 10/s}
          slow: {topic: dlq, where: "key like 'a%'", rate: 6/m, over: 1m, hold: 1h}
        scrub:
          policy: kpay.yaml
          staging: /run/blackbox
          signing_key: reports.key
          quarantine: /srv/held
          quarantine_key: q.pub
        http: {address: '0.0.0.0:9464', token_env: TOKEN}
        """,
    )
    assert found.connection.bootstrap == "broker:9092"
    assert found.registry is not None and found.registry.url == "http://registry:8081"
    assert found.registry.settings == {"basic.auth.user.info": "me:s3cr3t"} and "s3cr3t" not in repr(found)
    assert (found.names, found.patterns, found.excludes) == (("orders",), (r"payments\..*",), (r".*\.metrics",))
    assert (found.before_ms, found.after_ms, found.settle_ms) == (600_000, 0, 500)
    assert found.max_bytes_per_second == 1_000_000
    pending = Pending(capture="c", trigger="oncall", at_ms=2, from_ms=1, to_ms=3)
    assert request_of(found, pending).max_bytes_per_second == 1_000_000
    assert request_of(found, pending).registry is found.registry
    assert (found.out, found.state, found.socket) == (Path("/srv/captures"), tmp_path / "place", tmp_path / "here.sock")
    assert found.triggers == (
        Called("oncall", frozenset({"command", "http"})),
        Called("drain", frozenset({"signal"})),
        Dropped("handoff", tmp_path / "drop"),
        OnRecords("control", "ops"),
        OnRecords("burst", "dlq", None, 50, 5_000, 600_000),
        OnRecords("slow", "dlq", "key like 'a%'", 6, 60_000, 3_600_000),
    )
    assert found.scrub == Scrubbing(
        tmp_path / "kpay.yaml", Path("/run/blackbox"), tmp_path / "reports.key", Path("/srv/held"), tmp_path / "q.pub"
    )
    assert found.http is not None and (found.http.host, found.http.port) == ("0.0.0.0", 9464)
    assert ENV["TOKEN"] not in repr(found)


def test_the_cluster_may_come_from_the_environment(tmp_path: Path) -> None:
    text = SMALL.replace("kafka: {bootstrap: broker:9092}\n", "")
    assert load(tmp_path, text, {"KAFKA_BOOTSTRAP_SERVERS": "other:9092"}).connection.bootstrap == "other:9092"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("out:", "output:", "watch.yaml:3: unknown name 'output' in the watcher's file. Did you mean 'out'?"),
        ("broker:9092}", "broker:9092, schema_registry: here}", "watch.yaml:1: schema_registry takes a URL"),
        ("topics: {names: [orders]}\n", "", "watch.yaml:1: the watcher's file needs 'topics'."),
        ("[orders]", "[]", "watch.yaml:2: no topics chosen"),
        ("names: [orders]", "patterns: ['a(']", "watch.yaml:2: 'a(' is not a regular expression"),
        ("broker:9092", "broker", "watch.yaml:1: 'broker' is not a broker's address"),
        ("out:", "before: 15 minutes\nout:", "watch.yaml:3: '15 minutes' is not a duration"),
        ("out:", "before: 0\nafter: 0\nout:", "the window is empty"),
        ("out:", "daily_cap: 0\nout:", "watch.yaml:3: daily_cap must be a whole number from 1 on"),
        ("out:", "daily_cap: true\nout:", "watch.yaml:3: daily_cap must be a whole number from 1 on"),
        ("out:", "max_mbps: 0\nout:", "watch.yaml:3: max_mbps must be a number of megabits per second"),
        ("command", "comand", "watch.yaml:5: unknown way to trigger 'comand'. Did you mean 'command'?"),
        ("oncall", "../oncall", "watch.yaml:5: '../oncall' can't name a capture"),
        ("oncall: command", "oncall: command\n  oncall: http", "'oncall' stands twice in triggers, first in line 5"),
        ("  oncall: command", "  {}", "there are no triggers"),
        ("command", "http", "a trigger by HTTP needs http: {token_env: VARIABLE}"),
        ("command", "{rate: 10/s}", "watch.yaml:5: trigger oncall needs 'topic'"),
        ("command", "{topic: dlq, over: 5s}", "'over' belongs to a rate"),
        ("command", "{topic: dlq, rate: fast}", "watch.yaml:5: 'fast' is not a rate: write 10/s"),
        ("command", "{topic: dlq, rate: 100000/s, over: 1h}", "100,000 is the most"),
        ("command", "{topic: dlq, rate: 10/s, over: 0}", "a rate is counted over some time"),
        ("command", "{topic: dlq, where: status = 1}", "watch.yaml:5: The condition 'status = 1' can't be evaluated"),
        ("command", "{file: drop, hold: 1s}", "a file trigger is a directory and nothing else"),
        ("out:", "http: {address: '0.0.0.0:1'}\nout:", "watch.yaml:3: 0.0.0.0 can be reached from other machines"),
        ("out:", "http: {address: nowhere}\nout:", "watch.yaml:3: 'nowhere' is not an address"),
        ("out:", "http: {token_env: NONE}\nout:", "watch.yaml:3: the environment variable NONE is not set"),
        ("out:", "http: {token_env: SHORT}\nout:", "the environment variable SHORT is shorter than 16 characters"),
        ("out:", "scrub: {}\nout:", "watch.yaml:3: scrub needs 'policy'."),
        ("out:", "scrub: {policy: p, quarantine_key: q}\nout:", "'quarantine_key' belongs to a quarantine"),
        ("out:", "scrub: {policy: p, quarantine: captures/q}\nout:", "the quarantine lies in captures: choose"),
        ("out:", "scrub: {policy: p, quarantine: /dev/shm/q}\nout:", "the quarantine lies in /dev/shm: choose"),
        ("out:", "scrub: {policy: p, quarantine: watch.yaml}\nout:", "the quarantine must be a directory"),
    ],
)
def test_mistakes_are_named_with_their_place(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    assert sentence in complaint(tmp_path, SMALL.replace(old, new, 1), ENV | {"SHORT": "hunter2"})


def test_a_token_is_never_shown(tmp_path: Path) -> None:
    assert "hunter2" not in complaint(
        tmp_path, SMALL.replace("out:", "http: {token_env: SHORT}\nout:"), {"SHORT": "hunter2"}
    )


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "\n"])
def test_an_empty_file_is_told_what_belongs_there(tmp_path: Path, text: str) -> None:
    assert "is empty: a watcher's file says topics:, out: and triggers:" in complaint(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load_settings(tmp_path / "nowhere.yaml")
