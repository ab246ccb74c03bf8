from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from recorder.capture.reader import open_capture
from recorder.capture.verify import Check, failed, verify
from recorder.errors import UsageError
from recorder.scrubbing.report import REPORT_VERSION, Report, Signed
from recorder.scrubbing.scrub import scrub
from recorder.scrubbing.signing import load_signer, load_verifier, new_pair
from recorder.scrubbing.verify_clean import verify_clean
from tests.builders import T0, make_capture, record
from tests.desensitizers.rules import foreign
from tests.scrubbing.helpers import SECRET, clean_copy, orders, people, policy


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a signed clean copy and two pairs of keys."""
    work = tmp_path_factory.mktemp("signed")
    for name in ("ours", "theirs"):
        new_pair(work / f"{name}.key", work / f"{name}.pub")
    raw = make_capture(work / "raw", orders(60), segment_records=10)
    scrub(raw, policy(work), work / "clean", signer=load_signer(work / "ours.key"))
    return work


@pytest.fixture
def clean(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "clean", tmp_path / "clean"))


def checked(made: Path, clean: Path, key: str = "ours") -> list[Check]:
    return verify_clean(clean, verifier=load_verifier(made / f"{key}.pub"))


def report_of(clean: Path) -> Report:
    return msgspec.json.decode((clean / "report.json").read_bytes(), type=Signed).report


def test_a_signed_copy_is_checked_with_the_public_key_alone(made: Path, clean: Path) -> None:
    checks = checked(made, clean)
    assert not failed(checks)
    assert {check.name for check in checks if check.status == "PASSED"} >= {"report", "signature", "stamp", "leaks"}


def test_it_names_the_code_of_others_that_the_policy_used(tmp_path: Path) -> None:
    function = "tests.desensitizers.rules.foreign:reverse"
    head = "version: 1\nsecret: {env: BLACKBOX_KEY}\ntopics:\n"
    rule = f"  - {{match: '*', value: {{x: {{rule: custom, function: '{function}'}}}}}}\n"
    clean_copy(tmp_path, [record("t", 0, T0, None, {"x": "Anna Schmidt"})], head + rule)
    said = report_of(tmp_path / "clean").versions[f"function {function}"]
    assert said == f"SHA-256 {hashlib.sha256(Path(foreign.__file__).read_bytes()).hexdigest()}"
    assert said in (tmp_path / "clean/report.html").read_text()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def forge(clean: Path) -> None:
    """A careful forger: alters the report and puts a signature of the right length there."""
    tree = json.loads((clean / "report.json").read_text())
    tree["report"]["originals"] += 1
    tree["signature"] = base64.b64encode(bytes(64)).decode()
    signed = msgspec.convert(tree, Signed)
    (clean / "report.json").write_bytes(
        msgspec.json.format(msgspec.json.encode(signed, order="deterministic"), indent=1) + b"\n"
    )


def unsign(clean: Path) -> None:
    signed = msgspec.json.decode((clean / "report.json").read_bytes(), type=Signed)
    bare = msgspec.structs.replace(signed, signature=None)
    (clean / "report.json").write_bytes(
        msgspec.json.format(msgspec.json.encode(bare, order="deterministic"), indent=1) + b"\n"
    )


TAMPERINGS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a file is added": (lambda clean: (clean / "notes.txt").write_text("hello"), "it was added later"),
    "a link is added": (lambda clean: (clean / "link").symlink_to("/etc/hostname"), "it was added later"),
    "a segment is removed": (lambda clean: next(clean.rglob("*.parquet")).unlink(), "it was removed"),
    "the page is removed": (lambda clean: (clean / "report.html").unlink(), "it was removed"),
    "the report is removed": (lambda clean: (clean / "report.json").unlink(), "there is no report"),
    "the page is edited": (lambda clean: edit(clean / "report.html", "passed", "Passed"), "it was altered"),
    "the manifest is edited": (lambda clean: edit(clean / "manifest.json", '"tags": {}', '"tags":  {}'), "altered"),
    "a number is edited": (lambda clean: edit(clean / "report.json", '"originals": ', '"originals": 1'), "edited"),
    "a space is added": (lambda clean: edit(clean / "report.json", '"originals": ', '"originals":  '), "was edited"),
    "a field is added": (lambda clean: edit(clean / "report.json", '{\n "report"', '{\n "x": 1,\n "report"'), "edited"),
    "the report is torn": (lambda clean: (clean / "report.json").write_bytes(b"{"), "no report that can be read"),
    "the signature is forged": (forge, "the signature does not fit"),
    "the signature is removed": (unsign, "is not signed"),
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_whatever_was_done_to_the_copy_is_told_in_a_sentence(made: Path, clean: Path, tampering: str) -> None:
    tamper, says = TAMPERINGS[tampering]
    tamper(clean)
    found = [check for check in checked(made, clean) if check.status == "FAILED"]
    assert any(says in check.detail for check in found if check.name in ("report", "signature")), found


def test_a_report_that_another_key_signed_fails(made: Path, clean: Path) -> None:
    (found,) = (check for check in checked(made, clean, "theirs") if check.status == "FAILED")
    assert found.name == "signature"
    assert found.detail.startswith("was signed by another key")


def test_the_key_id_alone_makes_no_signature(made: Path, clean: Path) -> None:
    ours, theirs = (load_verifier(made / f"{name}.pub").key_id for name in ("ours", "theirs"))
    edit(clean / "report.json", ours, theirs)
    assert any("does not fit" in check.detail for check in checked(made, clean, "theirs") if check.status == "FAILED")


def test_the_report_of_another_copy_does_not_fit(made: Path, clean: Path, tmp_path: Path) -> None:
    raw = make_capture(tmp_path / "raw", orders(61), segment_records=10)
    scrub(raw, policy(tmp_path), tmp_path / "other", signer=load_signer(made / "ours.key"))
    for name in ("report.json", "report.html"):
        shutil.copy(tmp_path / "other" / name, clean / name)
    assert any(check.name == "report" for check in checked(made, clean) if check.status == "FAILED")


def test_an_unsigned_copy_is_clean_but_not_vouched_for(made: Path, tmp_path: Path) -> None:
    _raw, done = clean_copy(tmp_path, orders(20))
    assert done.signed_by is None
    alone = verify_clean(tmp_path / "clean")
    assert not failed(alone)
    assert ("signature", "SKIPPED", "not signed") in {(one.name, one.status, one.detail) for one in alone}
    assert failed(checked(made, tmp_path / "clean"))
    assert "Not signed" in (tmp_path / "clean/report.html").read_text()


def test_plain_verify_takes_the_report_of_a_clean_copy_but_of_no_raw_one(clean: Path, tmp_path: Path) -> None:
    assert not failed(verify(clean))
    raw = make_capture(tmp_path / "raw", orders(5))
    shutil.copy(clean / "report.html", tmp_path / "raw/report.html")
    assert failed(verify(raw.root))


def test_the_report_holds_the_numbers(made: Path, clean: Path) -> None:
    report, raw = report_of(clean), open_capture(made / "raw").manifest
    assert report.report_version == REPORT_VERSION
    assert report.policy_sha256 == policy(made).sha256
    assert (report.records, report.parent_id) == (raw.records, raw.capture_id)
    for topic in raw.topics:
        (mine,) = (one for one in report.partitions if one.topic == topic.name)
        assert mine.records == tuple(partition.records for partition in topic.partitions)
    for space in report.spaces:
        assert space.originals == space.results == space.pairs > 0
    assert {"customer", "name", "email", "key of orders"} <= {space.space.partition("/")[0] for space in report.spaces}
    for line in report.ledger:
        assert line.seen == line.kept + line.masked + line.dropped + line.quarantined
    ledger = {(line.topic, line.kind): line for line in report.ledger}
    headers = ledger["orders", "headers"]
    assert (headers.seen, headers.kept, headers.masked, headers.dropped) == (240, 120, 60, 60)
    assert (ledger["orders", "keys"].masked, ledger["mails", "keys"].kept) == (61, 15)
    files = {path.relative_to(clean).as_posix() for path in clean.rglob("*") if path.is_file()}
    assert {file.path for file in report.files} == files - {"report.json"}


def test_kept_fields_are_measured(clean: Path) -> None:
    (kept,) = (one for one in report_of(clean).kept if one.topic == "orders")
    (field,) = kept.fields
    assert field.path == "{order,amount}"
    assert (kept.sampled, field.records, field.distinct, field.alone) == (60, 60, 60, 60)
    assert kept.together == ()


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.fetched += [f"{tag} {name}" for name, _ in attributes if name in ("src", "href", "data", "action")]


def test_the_page_stands_alone_and_names_no_one(made: Path, clean: Path) -> None:
    text = (clean / "report.html").read_text()
    page = Page()
    page.feed(text)
    assert page.fetched == []
    assert not page.tags & {"script", "link", "iframe", "img", "object"}
    assert not re.search(r"url\(|@import|https?:", text)
    assert "prefers-color-scheme:dark" in text
    assert "@media print" in text
    both = text + (clean / "report.json").read_text()
    assert SECRET["BLACKBOX_KEY"] not in both
    assert "PRIVATE" not in both
    for ident, name, mail in people(12):
        assert not any(original in both for original in (str(ident), name, mail))


def test_a_private_key_is_for_its_owner_alone_and_never_overwritten(tmp_path: Path) -> None:
    new_pair(tmp_path / "a.key", tmp_path / "a.pub")
    assert (tmp_path / "a.key").stat().st_mode & 0o777 == 0o600
    before = (tmp_path / "a.key").read_bytes()
    for private, public in (("a.key", "b.pub"), ("b.key", "a.pub")):
        with pytest.raises(UsageError, match="never overwritten"):
            new_pair(tmp_path / private, tmp_path / public)
    assert (tmp_path / "a.key").read_bytes() == before
    assert not (tmp_path / "b.key").exists()


def test_the_key_comes_from_a_file_or_from_the_environment(made: Path) -> None:
    path = made / "ours.key"
    expected = load_verifier(made / "ours.pub").key_id
    for env in ({"BLACKBOX_SIGNING_KEY": str(path)}, {"BLACKBOX_SIGNING_KEY": path.read_text()}):
        signer = load_signer(None, env)
        assert signer is not None
        assert signer.key_id == expected
    assert load_signer(None, {}) is None


@pytest.mark.parametrize("name", ["ours.pub", "nothing", "clean/report.json"])
def test_what_is_no_private_key_is_a_usage_error(made: Path, name: str) -> None:
    with pytest.raises(UsageError):
        load_signer(made / name)


def test_a_private_key_is_not_taken_for_a_public_one(made: Path) -> None:
    with pytest.raises(UsageError, match="holds a private key"):
        load_verifier(made / "ours.key")
