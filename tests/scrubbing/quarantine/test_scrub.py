"""Scrubs that withhold records: the copy lacks them and says so, the quarantine holds them, nobody else does."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
import pytest

from recorder.capture.manifest import MANIFEST_NAME, Gap, encode
from recorder.capture.reader import Capture, open_capture
from recorder.capture.schema import Record
from recorder.capture.selection import Selection
from recorder.capture.verify import failed, verify
from recorder.editing.cut import cut
from recorder.editing.cut_partition import Wanted
from recorder.errors import UsageError
from recorder.payloads.schemas import Schema, SubjectVersion
from recorder.payloads.snapshot import write_schemas
from recorder.scrubbing.errors import ScrubError
from recorder.scrubbing.explain import explain, load_to_explain
from recorder.scrubbing.guard import guard
from recorder.scrubbing.quarantine.keys import load_opener, load_recipient, new_quarantine_pair
from recorder.scrubbing.quarantine.looking import Opened, summary
from recorder.scrubbing.quarantine.records import Held
from recorder.scrubbing.quarantine.writing import Destination, destination
from recorder.scrubbing.scrub import Scrubbed, scrub
from recorder.scrubbing.verify_clean import verify_clean
from tests.builders import T0, make_capture, record
from tests.desensitizers.test_withholding import CASES
from tests.scrubbing.helpers import DEFAULTS, HIDDEN, WITHHOLDING, bytes_below, orders, policy, some_odd


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    new_quarantine_pair(tmp_path / "q.key", tmp_path / "q.pub")
    return tmp_path


def scrubbed(
    work: Path, records: list[Record], text: str = WITHHOLDING, name: str = "clean", **options: Any
) -> tuple[Capture, Scrubbed]:
    raw = open_capture(work / "raw") if (work / "raw").exists() else make_capture(work / "raw", records, **options)
    to = Destination(work / f"{name}.quarantine", load_recipient(work / "q.pub"))
    return raw, scrub(raw, policy(work, text), work / name, quarantine=to)


def withheld(work: Path, name: str = "clean") -> list[Held]:
    return list(Opened(work / f"{name}.quarantine", load_opener(work / "q.key")).records())


def test_records_that_the_policy_cannot_answer_for_go_to_quarantine(keys: Path) -> None:
    raw, done = scrubbed(keys, some_odd(), segment_records=7)
    held = withheld(keys)
    clean = open_capture(done.path)
    assert 0 < len(held) == raw.manifest.records - clean.manifest.records
    originals = {(one.topic, one.partition, one.offset): one for one in raw.records()}
    for one in held:
        was = originals.pop((one.topic, one.partition, one.offset))
        row = (one.key, one.value, one.timestamp_ms, one.timestamp_type, one.leader_epoch, one.headers)
        assert row == (was.key, was.value, was.timestamp_ms, was.timestamp_type, was.leader_epoch, was.headers)
    assert {(one.topic, one.partition, one.offset) for one in clean.records()} == originals.keys()
    assert Counter(one.cause for one in held).keys() == {"undecodable", "unknown_field"}
    assert all(HIDDEN.encode() not in content for content in bytes_below(done.path).values())


def test_their_offsets_are_gaps_and_the_copy_verifies_as_a_capture_and_as_clean(keys: Path) -> None:
    rows = [record("orders", 0, T0 + n, None, {"order": n} if n % 5 else b"{", offset=3 * n + 3) for n in range(12)]
    raw = make_capture(keys / "raw", rows)
    (before,) = raw.manifest.topic("orders").partitions
    filtered = Gap(first_offset=0, last_offset=36, missing=25, reason="filtered")
    made = msgspec.structs.replace(before, start_offset=0, end_offset=40, gaps=(filtered,))
    last = Gap(first_offset=37, last_offset=39, missing=3, reason="control")
    made = msgspec.structs.replace(made, gaps=(filtered, last))
    topic = msgspec.structs.replace(raw.manifest.topic("orders"), partitions=(made,))
    (keys / "raw" / MANIFEST_NAME).write_bytes(encode(msgspec.structs.replace(raw.manifest, topics=(topic,))))
    assert not failed(verify(keys / "raw"))
    _raw, done = scrubbed(keys, [])
    (partition,) = done.manifest.topic("orders").partitions
    assert (partition.records, partition.missing("quarantined"), partition.missing("filtered")) == (9, 3, 25)
    assert partition.missing("control") == 3
    assert Gap(first_offset=18, last_offset=18, missing=1, reason="quarantined") in partition.gaps
    assert not failed(verify(done.path))
    loaded = policy(keys, WITHHOLDING)
    checks = verify_clean(done.path, parent=open_capture(keys / "raw"), policy=loaded)
    assert not failed(checks), [check for check in checks if check.status == "FAILED"]
    assert any(check.name == "quarantine" and "3 records" in check.detail for check in checks)


def test_a_part_of_such_a_copy_still_tells_of_them(keys: Path) -> None:
    _raw, done = scrubbed(keys, some_odd())
    part = cut(open_capture(done.path), keys / "part", Wanted(Selection()))
    assert part.manifest.clean is not None
    assert sum(one.missing("quarantined") for _topic, one in part.manifest.topic_partitions()) == len(withheld(keys))
    assert not failed(verify_clean(keys / "part"))


def test_more_missing_than_the_parent_explains_is_found(keys: Path) -> None:
    raw, done = scrubbed(keys, some_odd())
    smaller = make_capture(keys / "smaller", some_odd()[:-20])
    manifest = msgspec.structs.replace(smaller.manifest, capture_id=raw.manifest.capture_id)
    (keys / "smaller" / MANIFEST_NAME).write_bytes(encode(manifest))
    checks = verify_clean(done.path, parent=open_capture(keys / "smaller"), policy=policy(keys, WITHHOLDING))
    assert {check.status for check in checks if check.name == "quarantine"} == {"FAILED"}


def test_report_stamp_and_notes_count_them_and_name_no_value(keys: Path) -> None:
    _raw, done = scrubbed(keys, some_odd())
    held = withheld(keys)
    report = json.loads((done.path / "report.json").read_text())["report"]
    assert report["quarantine"]["records"] == len(held)
    lines = {(one["topic"], one["place"], one["cause"]): one["records"] for one in report["quarantine"]["lines"]}
    assert lines == Counter(("orders", "value", one.cause) for one in held)
    assert done.quarantine is not None and report["quarantine"]["sha256"] == done.quarantine.sha256
    ledger = {one["kind"]: one for one in report["ledger"] if one["topic"] == "orders"}
    assert ledger["values"]["quarantined"] == len(held)
    assert ledger["headers"]["quarantined"] == sum(len(one.headers) for one in held)
    html = (done.path / "report.html").read_text()
    assert "What is not in this copy" in html and "nickname" not in html
    assert f"in quarantine: {len(held)} records" in " ".join(note.text for note in done.manifest.notes)
    assert f"{len(held)} records" in done.checks["quarantine"]
    assert not done.manifest.losses


def test_counts_are_there_for_who_has_no_key(keys: Path) -> None:
    scrubbed(keys, some_odd())
    _sealed, counts = summary(keys / "clean.quarantine")
    assert counts.records == len(withheld(keys))
    assert {(one.topic, one.place) for one in counts.lines} == {("orders", "value")}
    raw = (keys / "clean.quarantine").read_bytes()
    assert b"nickname" not in raw and HIDDEN.encode() not in raw


@pytest.mark.parametrize("case", CASES)
def test_every_cause_in_every_format(keys: Path, case: str) -> None:
    topic, schemas, values, expected = CASES[case]
    named = tuple(
        msgspec.structs.replace(one, id=5 if one.kind == "protobuf" else one.id, subjects=(SubjectVersion("x", n),))
        for n, one in enumerate(schemas)
    )
    raw = make_capture(keys / "raw", [record("t", 0, T0 + n, None, value) for n, value in enumerate(values)])
    manifest = msgspec.structs.replace(raw.manifest, schemas=write_schemas(keys / "raw", named))
    (keys / "raw" / MANIFEST_NAME).write_bytes(encode(manifest))
    text = f"version: 1\nsecret: {{env: BLACKBOX_KEY}}\n{DEFAULTS}proof: {{detectors: []}}\ntopics:\n  - match: t\n"
    _raw, done = scrubbed(keys, [], text + f"    {topic}\n")
    assert [(one.offset, one.cause, one.path) for one in withheld(keys)] == expected
    assert [one.value for one in withheld(keys)] == [values[row] for row, _cause, _path in expected]
    assert done.manifest.records == len(values) - len(expected)
    assert not failed(verify_clean(done.path))


def test_the_schemas_go_along_so_that_records_can_be_read_later(keys: Path) -> None:
    _topic, schemas, values, _expected = CASES["Avro"]
    raw = make_capture(keys / "raw", [record("t", 0, T0 + n, None, value) for n, value in enumerate(values)])
    manifest = msgspec.structs.replace(raw.manifest, schemas=write_schemas(keys / "raw", schemas))
    (keys / "raw" / MANIFEST_NAME).write_bytes(encode(manifest))
    text = f"version: 1\nsecret: {{env: BLACKBOX_KEY}}\n{DEFAULTS}topics: [{{match: t, value: {{id: keep}}}}]\n"
    scrubbed(keys, [], text)
    opened = Opened(keys / "clean.quarantine", load_opener(keys / "q.key"))
    assert [one.id for one in opened.schemas] == [7, 8]
    assert all(isinstance(one, Schema) for one in opened.schemas)


def test_the_state_before_the_window_is_withheld_too(keys: Path) -> None:
    before = [
        record("orders", 0, T0 - 9, "cust-12345678", value, offset=n) for n, value in enumerate([{"order": 1}, b"{"])
    ]
    raw = make_capture(keys / "raw", [record("orders", 0, T0, "cust-12345678", {"order": 2})], prologue=before)
    _raw, done = scrubbed(keys, [])
    assert raw.manifest.prologue_records == 2
    assert (done.manifest.prologue_records, done.manifest.records) == (1, 1)
    assert [(one.offset, one.in_prologue) for one in withheld(keys)] == [(1, True)]
    assert not failed(verify_clean(done.path, parent=raw, policy=policy(keys, WITHHOLDING)))


def test_any_number_of_processes_gives_the_same_copy_and_the_same_quarantine(keys: Path) -> None:
    raw = make_capture(keys / "raw", some_odd(200), segment_records=9)
    loaded = policy(keys, WITHHOLDING)
    for name in ("one", "two"):
        to = Destination(keys / f"{name}.quarantine", load_recipient(keys / "q.pub"))
        if name == "one":
            scrub(raw, loaded, keys / name, quarantine=to)
        else:
            with ProcessPoolExecutor(2, mp_context=get_context("forkserver")) as pool:
                scrub(raw, loaded, keys / name, quarantine=to, executor=pool)
    assert withheld(keys, "one") == withheld(keys, "two")
    one, two = (
        {name: content for name, content in bytes_below(keys / which).items() if name.startswith("records/")}
        for which in ("one", "two")
    )
    assert one == two


def test_originals_of_withheld_records_are_searched_in_the_copy(keys: Path) -> None:
    """The name stands in a record that is withheld, and nowhere else but in another's free text."""
    person = {"customer": {"id": 10_000_001, "name": "Quintessa Obergruber"}}
    rows = [
        record("orders", 0, T0, "cust-10000001", {**person, "unnamed": 1}),
        record("orders", 0, T0 + 1, "cust-10000002", {"order": "about Quintessa Obergruber"}),
    ]
    with pytest.raises(ScrubError, match="an original"):
        scrubbed(keys, rows)
    assert {path.name for path in keys.iterdir()} == {"raw", "q.key", "q.pub", "policy.yaml"}
    shutil.rmtree(keys / "raw")
    rows[1] = record("orders", 0, T0 + 1, "cust-10000002", {"note": "about Quintessa Obergruber"})
    _raw, done = scrubbed(keys, rows)
    assert all(b"Obergruber" not in content for content in bytes_below(done.path).values())


@pytest.mark.parametrize("text", [WITHHOLDING, WITHHOLDING.replace(", learned", "")], ids=["learning", "at once"])
@pytest.mark.parametrize("processes", [0, 2])
def test_without_a_quarantine_the_first_such_record_stops_the_copy(keys: Path, text: str, processes: int) -> None:
    raw = make_capture(keys / "raw", some_odd(), segment_records=9)
    pool = ProcessPoolExecutor(processes, mp_context=get_context("forkserver")) if processes else None
    with pytest.raises(ScrubError) as caught:
        scrub(raw, policy(keys, text), keys / "clean", executor=pool)
    if pool is not None:
        pool.shutdown()
    said = str(caught.value)
    assert "Add --quarantine FILE, with --quarantine-key KEY.pub" in said
    assert "orders-" in said and HIDDEN not in said
    assert not (keys / "clean").exists()


def test_where_nothing_is_withheld_nothing_is_written(keys: Path) -> None:
    _raw, done = scrubbed(keys, orders(30))
    assert done.quarantine is None
    assert not (keys / "clean.quarantine").exists()
    assert "quarantine" not in json.loads((done.path / "report.json").read_text())["report"]


def test_a_directory_gets_a_file_that_is_called_by_the_capture(keys: Path) -> None:
    raw = make_capture(keys / "raw", some_odd())
    (keys / "store").mkdir()
    to = destination(str(keys / "store"), keys / "q.pub", policy(keys, WITHHOLDING), (raw.root, keys / "clean"))
    done = scrub(raw, policy(keys, WITHHOLDING), keys / "clean", quarantine=to)
    assert done.quarantine is not None
    (file,) = (keys / "store").iterdir()
    assert file == done.quarantine.path
    assert file.name.startswith(raw.manifest.capture_id[:12])
    assert file.stat().st_mode & 0o777 == 0o600


def test_places_that_make_no_sense_are_usage_errors(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = make_capture(keys / "raw", some_odd(20))
    loaded = policy(keys, WITHHOLDING)
    monkeypatch.chdir(keys)
    (keys / "taken").touch()
    (keys / "link").symlink_to(keys / "raw")
    captures = (raw.root, keys / "clean")
    for path, says in (
        ("clean/q", "lies in"),
        ("clean", "lies in"),
        ("raw/q", "lies in"),
        ("link/q", "lies in"),
        ("s3://bucket/q", "is a local file"),
        ("taken", "exists already"),
        ("nowhere/q", "there is no directory"),
    ):
        with pytest.raises(UsageError, match=says):
            destination(path, keys / "q.pub", loaded, captures)
    with pytest.raises(UsageError, match="needs the public key"):
        destination("q", None, loaded, captures)
    with pytest.raises(UsageError, match="holds a private key"):
        destination("q", keys / "q.key", loaded, captures)
    (keys / "named.yaml").write_text(WITHHOLDING)
    named = policy(keys, WITHHOLDING + "quarantine: {key: q.pub}\n")
    assert destination("q", None, named, captures).recipient.key_id == load_opener(keys / "q.key").recipient.key_id


def test_a_name_that_is_taken_meanwhile_is_left_alone(keys: Path) -> None:
    raw = make_capture(keys / "raw", some_odd())
    to = Destination(keys / "clean.quarantine", load_recipient(keys / "q.pub"))

    def take(stage: str, _bytes: int) -> None:
        if stage == "prove":
            to.path.write_text("mine")

    with pytest.raises(ScrubError, match="appeared meanwhile"):
        scrub(raw, policy(keys, WITHHOLDING), keys / "clean", quarantine=to, progress=take)
    assert to.path.read_text() == "mine"
    assert {path.name for path in keys.iterdir()} == {"raw", "q.key", "q.pub", "policy.yaml", "clean.quarantine"}


def test_a_copy_that_cannot_take_its_name_takes_its_quarantine_back(keys: Path) -> None:
    raw = make_capture(keys / "raw", some_odd())
    to = Destination(keys / "q" / "x.quarantine", load_recipient(keys / "q.pub"))
    to.path.parent.mkdir()

    def take(stage: str, _bytes: int) -> None:
        if stage == "prove":
            (keys / "clean").mkdir(exist_ok=True)

    with pytest.raises(ScrubError, match="appeared meanwhile"):
        scrub(raw, policy(keys, WITHHOLDING), keys / "clean", quarantine=to, progress=take)
    assert list(to.path.parent.iterdir()) == []


def test_a_quarantine_may_not_leave(keys: Path) -> None:
    scrubbed(keys, some_odd())
    (one,) = guard([keys / "clean", keys / "clean.quarantine"], allow_unsigned=True).refused
    assert "is a quarantine" in one.why
    shutil.copy(keys / "clean.quarantine", keys / "clean" / "notes.txt")
    assert len(guard([keys / "clean"], allow_unsigned=True).refused) == 1
    assert failed(verify_clean(keys / "clean"))


def test_explain_tells_what_would_be_withheld(keys: Path) -> None:
    raw = make_capture(keys / "raw", some_odd())
    (keys / "p.yaml").write_text(WITHHOLDING)
    found = explain(raw, load_to_explain(keys / "p.yaml"))
    assert found.fails == 0
    unnamed = [one for one in found.told if one.rule == "quarantine"]
    assert [(one.topic, one.place, one.path) for one in unnamed] == [("orders", "value", "nickname")]
    (undecodable,) = found.quarantined
    assert undecodable.reason == "undecodable: is not valid JSON"
    assert undecodable.count == len([row for row in some_odd() if row.value and b"{cut" in row.value])
