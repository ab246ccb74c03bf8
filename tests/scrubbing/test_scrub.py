from __future__ import annotations

import base64
import gzip
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from recorder.capture.manifest import Note
from recorder.capture.reader import open_capture
from recorder.capture.schema import Record
from recorder.capture.verify import failed, verify
from recorder.errors import ExitCode, UsageError
from recorder.scrubbing import planted
from recorder.scrubbing.errors import ScrubError
from recorder.scrubbing.planted import missed_canaries
from recorder.scrubbing.scrub import scrub
from recorder.scrubbing.verify_clean import verify_clean
from tests.builders import T0, make_capture, record
from tests.scrubbing.helpers import POLICY, SECRET, bytes_below, clean_copy, orders, people, policy, values


def test_a_clean_copy_has_the_same_records_without_the_people(tmp_path: Path) -> None:
    raw, done = clean_copy(tmp_path, orders(), segment_records=17)
    clean = open_capture(tmp_path / "clean")
    assert not failed(verify(clean.root))
    for before, after in zip(raw.records(), clean.records(), strict=True):
        assert after._replace(key=None, value=None, headers=()) == before._replace(key=None, value=None, headers=())
        assert (after.key is None, after.value is None) == (before.key is None, before.value is None)
        assert [header for header in before.headers if header[0] == "trace"] == [
            header for header in after.headers if header[0] == "trace"
        ]
        assert "secret" not in dict(after.headers)
    everything = b"".join(
        b"%b%b%r" % (row.key or b"", row.value or b"", str(row.headers).encode()) for row in clean.records()
    ).lower()
    for ident, name, mail in people(12):
        assert str(ident).encode() not in everything
        assert name.lower().encode() not in everything
        assert mail.encode() not in everything
    assert done.manifest.clean is not None
    assert done.manifest.records == raw.manifest.records


def test_the_state_before_the_window_is_scrubbed_like_the_records(tmp_path: Path) -> None:
    state = [
        record("orders", 0, T0 - 9, "cust-10000000", {"customer": {"name": "Zoë Müller-a0"}}, offset=3),
        record("orders", 0, T0 - 8, "cust-10000001", {"customer": {"name": "Nur Früher"}}, offset=5),
    ]
    later = [record("orders", 0, T0, "cust-10000000", {"customer": {"name": "Zoë Müller-a0"}, "note": "Nur Früher"})]
    raw, done = clean_copy(tmp_path, later, prologue=state)
    assert [check.status for check in verify(raw.root)].count("FAILED") == 0
    clean = open_capture(tmp_path / "clean")
    assert not failed(verify(clean.root)), verify(clean.root)
    first, second = (json.loads(row.value or b"")["customer"]["name"] for row in clean.prologue())
    (row,) = clean.records()
    value = json.loads(row.value or b"")
    assert (value["customer"]["name"], value["note"]) == (first, second)
    for content in bytes_below(tmp_path / "clean").values():
        assert "Früher".encode() not in content
    assert done.manifest.prologue_records == 2
    assert not failed(verify_clean(clean.root, parent=raw, policy=policy(tmp_path)))


def test_a_topic_with_nothing_but_state_needs_a_policy_too(tmp_path: Path) -> None:
    with pytest.raises(ScrubError, match='match: "people"'):
        clean_copy(tmp_path, orders(), prologue=[record("people", 0, T0, "Zoë", "Müller", offset=0)])


def test_a_customer_stays_the_same_customer_in_every_place_and_topic(tmp_path: Path) -> None:
    raw, _done = clean_copy(tmp_path, orders())
    surrogate = {
        before["customer"]["name"]: after["customer"]
        for before, after in zip(values(raw, "orders"), values(tmp_path / "clean", "orders"), strict=True)
        if before
    }
    for row in open_capture(tmp_path / "clean").records():
        if row.topic == "orders" and row.value:
            customer = json.loads(row.value)["customer"]
            assert row.key == f"cust-{customer['id']}".encode()
            assert dict(row.headers)["user"] == str(customer["id"]).encode()
    for before, after in zip(values(raw, "mails"), values(tmp_path / "clean", "mails"), strict=True):
        first, second = before["text"].removeprefix("Dear ").split(", about ")
        assert after["text"] == f"Dear {surrogate[first]['name']}, about {surrogate[second]['name']}"
        assert after["to"] == surrogate[first]["email"]


def test_the_note_is_cleaned_of_a_name_that_another_record_holds(tmp_path: Path) -> None:
    rows = [
        record("mails", 0, T0, "m", {"to": "x@y.de", "text": "Łukas Öhm was here"}),
        record("orders", 0, T0, "cust-1", {"customer": {"name": "Łukas Öhm"}}),
    ]
    clean_copy(tmp_path, rows)
    (mail,) = values(tmp_path / "clean", "mails")
    (order,) = values(tmp_path / "clean", "orders")
    assert mail["text"] == f"{order['customer']['name']} was here"


def test_the_same_bytes_on_any_number_of_workers(tmp_path: Path) -> None:
    raw, _done = clean_copy(tmp_path, orders(), segment_records=9)
    with ProcessPoolExecutor(2, mp_context=get_context("forkserver")) as executor:
        scrub(raw, policy(tmp_path), tmp_path / "parallel", executor=executor)
    here, there = bytes_below(tmp_path / "clean"), bytes_below(tmp_path / "parallel")
    assert here.keys() == there.keys()
    assert {name for name in here if here[name] != there[name]} == {"manifest.json", "report.json", "report.html"}


def test_captures_join_with_one_secret_and_do_not_with_two(tmp_path: Path) -> None:
    raw, _done = clean_copy(tmp_path, orders(20))
    scrub(raw, policy(tmp_path), tmp_path / "again")
    other = {"BLACKBOX_KEY": "another secret of at least thirty-two"}
    scrub(raw, policy(tmp_path, secret=other), tmp_path / "other")
    first, again, third = (values(tmp_path / name, "orders") for name in ("clean", "again", "other"))
    assert first == again
    names = [{row["customer"]["name"] for row in rows if row} for rows in (first, third)]
    assert not names[0] & names[1]


def test_the_manifest_names_the_parent_but_no_person_and_no_machine(tmp_path: Path) -> None:
    notes = [Note(level="info", text="recorded for Anna"), Note(level="loss", text="3 offsets unread", topic="orders")]
    raw, done = clean_copy(tmp_path, orders(20), notes=notes)
    manifest = done.manifest
    assert manifest.lineage[-1].verb == "scrub"
    assert manifest.lineage[-1].parent_id == raw.manifest.capture_id
    assert manifest.capture_id != raw.manifest.capture_id
    assert all((step.user, step.host, step.command) == (None, None, ()) for step in manifest.lineage)
    assert [note.level for note in manifest.notes] == ["loss"]
    stamp = manifest.clean
    assert stamp is not None
    assert stamp.policy_sha256 == policy(tmp_path).sha256
    assert stamp.counts["orders value customer.name pseudonym"] == 20
    assert SECRET["BLACKBOX_KEY"] not in (tmp_path / "clean/manifest.json").read_text()


def test_empty_partitions_and_topics_stay(tmp_path: Path) -> None:
    _raw, done = clean_copy(tmp_path, orders(9), topics={"empty": 4, "mails": 3})
    assert {topic.name: len(topic.partitions) for topic in done.manifest.topics} == {
        "orders": 3,
        "empty": 4,
        "mails": 3,
    }


def test_a_capture_without_records_can_be_clean(tmp_path: Path) -> None:
    _raw, done = clean_copy(tmp_path, [], topics={"orders": 2})
    assert done.manifest.records == 0


def refused(tmp_path: Path, rows: list[Record], text: str = POLICY) -> str:
    """The sentence that a scrub ends with; nothing may be left but the capture and the policy."""
    with pytest.raises(ScrubError) as caught:
        clean_copy(tmp_path, rows, text)
    assert caught.value.exit_code == ExitCode.FAILED
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "policy.yaml"}
    return str(caught.value)


def test_a_field_that_nobody_named_stops_the_copy_with_the_line_to_add(tmp_path: Path) -> None:
    rows = [*orders(20), record("orders", 1, T0, "cust-1", {"customer": {"fax": "+49 30 901820"}})]
    text = refused(tmp_path, rows)
    assert "orders-1@7 value customer.fax" in text
    assert 'add "customer.fax: drop"' in text
    assert "901820" not in text


def test_problems_of_many_records_are_counted_once_per_place(tmp_path: Path) -> None:
    rows = [record("orders", number % 3, T0, "cust-1", {"fax": "x"}) for number in range(30)]
    text = refused(tmp_path, rows)
    assert text.count("fax: string is not named") == 1
    assert "30 records" in text


def test_a_topic_that_nobody_named_stops_the_copy(tmp_path: Path) -> None:
    text = refused(tmp_path, [*orders(5), record("audit", 0, T0, "k", "v")])
    assert text.endswith('- match: "audit"   # 1 record')


@pytest.mark.parametrize("key", ["order-1", "cust-x"])
def test_a_key_of_another_form_stops_the_copy(tmp_path: Path, key: str) -> None:
    assert "does not match extract" in refused(tmp_path, [record("orders", 0, T0, key, {"order": 1})])


NAME = "Zoë Müller-Łuczak"
QUOTED = json.dumps({"who": NAME})
LEAKS: dict[str, Record] = {
    "value": record("leaky", 0, T0, "k", {"x": f"ask {NAME}"}),
    "value in upper case": record("leaky", 0, T0, "k", {"x": f"ASK {NAME.upper()}"}),
    "escaped value": record("leaky", 0, T0, "k", json.dumps({"x": NAME})),
    "JSON in a string": record("leaky", 0, T0, "k", json.dumps({"x": QUOTED})),
    "map key": record("leaky", 0, T0, "k", {"m": {NAME: 1}}),
    "base64": record("leaky", 0, T0, "k", {"x": base64.b64encode(QUOTED.encode()).decode()}),
    "gzip in base64": record("leaky", 0, T0, "k", {"x": base64.b64encode(gzip.compress(QUOTED.encode())).decode()}),
    "URL": record("leaky", 0, T0, "k", {"x": "https://x/?q=Zo%C3%AB%20M%c3%bcller-%C5%81uczak"}),
    "key": record("leaky", 0, T0, NAME, {"x": "y"}),
    "header": record("leaky", 0, T0, "k", {"x": "y"}, [("h", NAME)]),
    "header name": record("leaky", 0, T0, "k", {"x": "y"}, [(NAME, "v")]),
    "other type": record("leaky", 0, T0, "k", {"x": [1, {"y": NAME}]}),
}
BROKEN = (
    POLICY
    + """
  - match: leaky
    key: keep
    headers: {"*": keep, "@key": keep}
    value: {"**": keep, "**.@key": keep}
"""
)


@pytest.mark.parametrize("channel", LEAKS)
def test_a_rule_that_keeps_what_it_should_not_is_caught_in_every_channel(tmp_path: Path, channel: str) -> None:
    rows = [record("orders", 0, T0, "cust-1", {"customer": {"name": NAME}}), LEAKS[channel]]
    text = refused(tmp_path, rows, BROKEN)
    assert "leaky-0@0" in text
    assert "an original" in text
    assert "ller" not in text.lower()


def test_what_looks_real_is_caught_without_being_an_original(tmp_path: Path) -> None:
    text = refused(tmp_path, [record("leaky", 0, T0, "k", {"x": "mail eve@firma.de"})], BROKEN)
    assert "leaky-0@0 value: something that looks like a real email" in text
    assert "eve" not in text


def test_a_short_original_counts_as_a_whole_leaf_only(tmp_path: Path) -> None:
    rows = [
        record("orders", 0, T0, "cust-1", {"customer": {"name": "Eva"}}),
        record("leaky", 0, T0, "k", {"x": "Evaluation"}),
    ]
    clean_copy(tmp_path, rows, BROKEN)
    (tmp_path / "second").mkdir()
    refused(tmp_path / "second", [*rows, record("leaky", 0, T0, "k", {"x": "Eva"})], BROKEN)


def test_learn_false_lets_a_word_stand_that_is_no_secret(tmp_path: Path) -> None:
    rows = [
        record("orders", 0, T0, "cust-1", {"customer": {"name": "Winter"}}),
        record("leaky", 0, T0, "k", {"x": "Winter sale"}),
    ]
    calm = BROKEN.replace("customer.name: {domain: name}", "customer.name: {domain: name, learn: false}")
    clean_copy(tmp_path, rows, calm)


def test_two_keys_that_become_one_stop_the_copy(tmp_path: Path) -> None:
    text = POLICY.replace("key: keep\n", "key: {domain: email}\n")
    rows = [record("mails", 0, T0, key, {"to": "a@b.de"}) for key in ("anna@firma.de", "Anna@Firma.de")]
    assert "key of mails: 2 originals, 1 results" in refused(tmp_path, rows, text)


def test_an_existing_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "clean").mkdir()
    with pytest.raises(UsageError, match="exists already"):
        clean_copy(tmp_path, orders(3))
    assert list((tmp_path / "clean").iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from recorder.capture.reader import open_capture
from recorder.scrubbing.policy import load_policy
from recorder.scrubbing.scrub import scrub
from recorder.scrubbing.verify_clean import verify_clean

def die(stage, _bytes):
    if stage == sys.argv[3]:
        os.kill(os.getpid(), signal.SIGKILL)

work = Path(sys.argv[2])
scrub(open_capture(work / "raw"), load_policy(work / "policy.yaml"), work / "clean", progress=die)
"""


@pytest.mark.parametrize("stage", ["learn", "scrub", "prove"])
def test_a_kill_in_the_middle_leaves_nothing_that_looks_whole_or_can_be_read(tmp_path: Path, stage: str) -> None:
    make_capture(tmp_path / "raw", orders())
    policy(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(Path.cwd()), str(tmp_path), stage],
        env={**os.environ, **SECRET},
        check=False,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "clean").exists()
    (left,) = [path for path in tmp_path.iterdir() if path.name.startswith(".clean.")]
    assert not list(left.rglob("manifest.json"))
    for name, content in bytes_below(left / "originals").items():
        assert b"ller" not in content.lower(), name


def test_what_is_written_beside_the_target_is_removed_when_interrupted(tmp_path: Path) -> None:
    raw = make_capture(tmp_path / "raw", orders())

    def interrupt(stage: str, _bytes: int) -> None:
        if stage == "prove":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scrub(raw, policy(tmp_path), tmp_path / "clean", progress=interrupt)
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "policy.yaml"}


def test_a_scrub_needs_no_protobuf_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "grpc_tools", None)
    planted._schemas.cache_clear()
    assert missed_canaries(tmp_path / "canaries") == []  # three of which are numbers in Protobuf
