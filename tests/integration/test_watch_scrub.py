"""With a policy, only what was proven clean reaches the disk; raw records stay in memory and go."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.capture.verify import failed
from recorder.errors import ExitCode
from recorder.kafka.local import LocalKafka
from recorder.scrubbing.quarantine.keys import load_opener, new_quarantine_pair
from recorder.scrubbing.quarantine.looking import Opened
from recorder.scrubbing.signing import load_verifier, new_pair
from recorder.scrubbing.verify_clean import verify_clean
from tests.conftest import wait_until
from tests.integration.producing import New, produce
from tests.integration.recording import rows
from tests.integration.watching import watching

pytestmark = pytest.mark.integration

SECRET = {"WATCH_KEY": "a secret of at least thirty-two bytes"}
POLICY = """\
version: 1
secret: {env: WATCH_KEY}
domains:
  name: {surrogate: name}
topics:
  - match: "MATCH"
    key: keep
    value:
      id: keep
      name: {domain: name}
"""


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory of this test's own on the machine's tmpfs."""
    shm = Path("/dev/shm")
    if not shm.is_dir():
        pytest.skip("no /dev/shm on this system: scrub: is refused here")
    directory = shm / f"blackbox-test-{uuid.uuid4().hex[:8]}"
    directory.mkdir(mode=0o700)
    yield directory
    assert list(directory.rglob("*")) == [], "raw records were left in memory"
    directory.rmdir()


def config(root: Path, topic: str, memory: Path, match: str) -> str:
    (root / "policy.yaml").write_text(POLICY.replace("MATCH", match))
    return (
        f"before: 10s\nafter: 200ms\nsettle: 300ms\ntopics: {{names: [{topic}]}}\ntriggers: {{oncall: command}}\n"
        f"scrub: {{policy: policy.yaml, staging: {memory}}}\n"
    )


def withholding(root: Path, topic: str, memory: Path) -> str:
    """The same with keys: what can't be decoded goes to quarantine, reports are signed."""
    new_quarantine_pair(root / "q.key", root / "q.pub")
    new_pair(root / "reports.key", root / "reports.pub")
    text = config(root, topic, memory, topic)
    policy = (root / "policy.yaml").read_text()
    (root / "policy.yaml").write_text(policy.replace("topics:", "defaults: {undecodable: quarantine}\ntopics:"))
    more = "signing_key: reports.key, quarantine: held, quarantine_key: q.pub"
    return text.replace(f"{memory}}}", f"{memory}, {more}}}")


def customers(kafka: LocalKafka, topic: str) -> None:
    names = ("Erika Mustermann", "Max Mustermann", "Erika Mustermann")
    produce(kafka.bootstrap, topic, [New(json.dumps({"id": i, "name": name}).encode()) for i, name in enumerate(names)])


def test_the_capture_that_appears_is_proven_clean(kafka: LocalKafka, topic: str, tmp_path: Path, memory: Path) -> None:
    with watching(kafka, tmp_path, config(tmp_path, topic, memory, topic), SECRET) as running:
        (own,) = memory.iterdir()
        assert own.stat().st_mode & 0o777 == 0o700
        customers(kafka, topic)
        running.trigger("oncall")
        (capture,) = running.captures(1)
        wait_until(lambda: list(own.iterdir()) == [], what="nothing raw is left in memory")
        names = [json.loads(row.value or b"")["name"] for row in rows(capture, topic)]
        assert names[0] == names[2] != names[1]
        assert not any("Mustermann" in name for name in names)
        assert capture.manifest.clean is not None
        assert not failed(verify_clean(capture.root))
        assert running.end() == ExitCode.OK
    assert {path.name for path in (tmp_path / "captures").iterdir()} == {".watch", capture.root.name}


def test_withheld_records_are_in_the_quarantine_counted_and_the_report_is_signed(
    kafka: LocalKafka, topic: str, tmp_path: Path, memory: Path
) -> None:
    text = withholding(tmp_path, topic, memory) + "http: {address: '127.0.0.1:0'}\n"
    with watching(kafka, tmp_path, text, SECRET) as running:
        customers(kafka, topic)
        produce(kafka.bootstrap, topic, [New(b"{torn Mustermann"), New(b"{torn too")])
        running.trigger("oncall")
        (capture,) = running.captures(1)
        quarantine = tmp_path / "held" / f"{capture.root.name}.quarantine"
        said = f"{capture.root} lacks 2 records, held by {quarantine}"
        wait_until(lambda: said in running.said, what="what is withheld is said")
        assert '"withheld_records": 2' in running.get("/healthz")
        assert 'withheld_records_total{trigger="oncall"} 2' in running.get("/metrics")
        assert running.end() == ExitCode.LOSS
    assert capture.manifest.records == 3
    assert not failed(verify_clean(capture.root, verifier=load_verifier(tmp_path / "reports.pub")))
    held = Opened(quarantine, load_opener(tmp_path / "q.key")).records()
    assert [record.value for record in held] == [b"{torn Mustermann", b"{torn too"]


def test_a_capture_that_comes_to_nothing_takes_its_quarantine_along(
    kafka: LocalKafka, topic: str, tmp_path: Path, memory: Path
) -> None:
    with watching(kafka, tmp_path, withholding(tmp_path, topic, memory), SECRET) as running:
        produce(kafka.bootstrap, topic, [New(b"{torn Mustermann")])
        target = Path(running.trigger("oncall")["capture"])
        (target / "in the way").mkdir(parents=True)
        wait_until(lambda: "It is tried again in 5.0 s" in running.said, what="its name is taken")
        assert list((tmp_path / "held").iterdir()) == []
        (target / "in the way").rmdir()
        (capture,) = running.captures(1)
        wait_until(lambda: "lacks 1 record, held by" in running.said, what="it is taken in the end")
        assert running.end() == ExitCode.LOSS
    assert [path.name for path in (tmp_path / "held").iterdir()] == [f"{capture.root.name}.quarantine"]


def test_what_the_policy_does_not_name_never_reaches_the_disk_and_is_tried_again(
    kafka: LocalKafka, topic: str, tmp_path: Path, memory: Path
) -> None:
    with watching(kafka, tmp_path, config(tmp_path, topic, memory, "other"), SECRET) as running:
        customers(kafka, topic)
        running.trigger("oncall")
        wait_until(lambda: "It is tried again in 5.0 s" in running.said, what="the scrub is refused")
        assert "does not name 1 topic of this capture" in running.said
        assert list(tmp_path.rglob("*.parquet")) == []
        (tmp_path / "policy.yaml").write_text(POLICY.replace("MATCH", topic))  # somebody corrects it
        running.captures(1)
        assert running.end() == ExitCode.OK


def test_killed_raw_records_stay_in_memory_until_the_next_start_removes_them(
    kafka: LocalKafka, topic: str, tmp_path: Path, memory: Path
) -> None:
    text = config(tmp_path, topic, memory, topic)
    with watching(kafka, tmp_path, text, SECRET) as running:
        (own,) = memory.iterdir()
        running.process.kill()
    (own / "raw").mkdir()
    (own / "raw" / "segment").write_bytes(b"Erika Mustermann")
    with watching(kafka, tmp_path, text, SECRET) as again:
        assert list(own.iterdir()) == []
        assert again.end() == ExitCode.OK


def test_without_the_secret_or_without_memory_it_does_not_begin(
    kafka: LocalKafka, topic: str, tmp_path: Path, memory: Path
) -> None:
    text = config(tmp_path, topic, memory, topic)
    with pytest.raises(AssertionError, match="WATCH_KEY"), watching(kafka, tmp_path, text):
        pass
    elsewhere = text.replace(str(memory), "/proc")
    with (
        pytest.raises(AssertionError, match="/proc is on proc, not in memory"),
        watching(kafka, tmp_path, elsewhere, SECRET),
    ):
        pass
