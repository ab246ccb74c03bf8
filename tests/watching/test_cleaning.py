"""A watcher's captures are cleaned as its file says: signed, and withheld records in a quarantine beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.errors import UsageError
from recorder.scrubbing.errors import ScrubError
from recorder.scrubbing.quarantine.keys import load_opener, new_quarantine_pair
from recorder.scrubbing.quarantine.looking import Opened
from recorder.scrubbing.signing import load_verifier, new_pair
from recorder.scrubbing.verify_clean import verify_clean
from recorder.watching.cleaning import load_cleaning, look_at_cleaning
from recorder.watching.settings import Scrubbing
from tests.builders import make_capture
from tests.scrubbing.helpers import HIDDEN, SECRET, WITHHOLDING, bytes_below, some_odd


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in SECRET.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("BLACKBOX_SIGNING_KEY", raising=False)
    new_quarantine_pair(tmp_path / "q.key", tmp_path / "q.pub")
    new_pair(tmp_path / "reports.key", tmp_path / "reports.pub")
    (tmp_path / "policy.yaml").write_text(WITHHOLDING)
    return tmp_path


def asked(work: Path, **said: Path) -> Scrubbing:
    return Scrubbing(work / "policy.yaml", Path("/dev/shm"), **said)


def all_said(work: Path) -> Scrubbing:
    return asked(work, signing_key=work / "reports.key", quarantine=work / "held", quarantine_key=work / "q.pub")


def unheard(_stage: str, _bytes: int) -> None:
    pass


def test_withheld_records_are_in_a_file_named_as_the_capture_and_the_report_is_signed(work: Path) -> None:
    told: list[str] = []
    look_at_cleaning(all_said(work), told.append)
    assert (work / "held").stat().st_mode & 0o777 == 0o700
    raw = make_capture(work / "raw", some_odd())
    done = load_cleaning(all_said(work)).scrub(raw, work / "clean", "oncall-1", unheard)
    assert done.quarantine is not None and done.quarantine.path == work / "held" / "oncall-1.quarantine"
    held = list(Opened(done.quarantine.path, load_opener(work / "q.key")).records())
    assert len(held) == raw.manifest.records - done.manifest.records > 0
    assert all(HIDDEN.encode() not in content for content in bytes_below(done.path).values())
    checks = verify_clean(done.path, verifier=load_verifier(work / "reports.pub"))
    assert not [check for check in checks if check.status == "FAILED"]
    assert told == [f"Reports are signed by key {done.signed_by}."]


def test_the_policy_may_name_the_key(work: Path) -> None:
    (work / "policy.yaml").write_text(WITHHOLDING + "quarantine: {key: q.pub}\n")
    raw = make_capture(work / "raw", some_odd())
    (work / "held").mkdir()
    done = load_cleaning(asked(work, quarantine=work / "held")).scrub(raw, work / "clean", "c", unheard)
    assert done.quarantine is not None and done.quarantine.summary.records > 0


def test_what_a_killed_watcher_left_is_not_overwritten_and_what_it_tore_goes(work: Path) -> None:
    (work / "held").mkdir()
    (work / "held" / "c.quarantine").write_bytes(b"whole")
    (work / "held" / ".c.quarantine.writing-00ff").write_bytes(b"torn")
    raw = make_capture(work / "raw", some_odd())
    done = load_cleaning(all_said(work)).scrub(raw, work / "clean", "c", unheard)
    assert done.quarantine is not None and done.quarantine.path.name == "c-2.quarantine"
    assert {path.name for path in (work / "held").iterdir()} == {"c.quarantine", "c-2.quarantine"}
    assert (work / "held" / "c.quarantine").read_bytes() == b"whole"


def test_without_a_quarantine_the_setting_is_named_before_and_when_it_is_needed(work: Path) -> None:
    told: list[str] = []
    look_at_cleaning(asked(work), told.append)
    assert "the policy may send records to quarantine, and there is none: add quarantine: DIRECTORY to" in told[0]
    assert "reports are NOT SIGNED" in told[1]
    raw = make_capture(work / "raw", some_odd())
    with pytest.raises(ScrubError) as caught:
        load_cleaning(asked(work)).scrub(raw, work / "clean", "c", unheard)
    said = str(caught.value)
    assert "a record must go to quarantine, and none was given:\n  orders-" in said
    assert "Add quarantine: DIRECTORY to the watcher's scrub:, with quarantine_key: KEY.pub there" in said
    assert "--quarantine " not in said and "--quarantine-key" not in said and HIDDEN not in said


def test_a_quarantine_without_a_key_is_told_which_setting(work: Path) -> None:
    with pytest.raises(UsageError, match=r"add quarantine_key: KEY.pub to scrub:, or quarantine: \{key: KEY.pub\}"):
        look_at_cleaning(asked(work, quarantine=work / "held"), print)
    with pytest.raises(UsageError, match=r"q\.key holds a private key"):
        look_at_cleaning(asked(work, quarantine=work / "held", quarantine_key=work / "q.key"), print)
    assert not (work / "held").exists()


def test_the_environment_may_hold_the_signing_key(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLACKBOX_SIGNING_KEY", (work / "reports.key").read_text())
    signer = load_cleaning(asked(work)).signer
    assert signer is not None and signer.key_id == load_verifier(work / "reports.pub").key_id
