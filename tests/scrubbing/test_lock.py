from __future__ import annotations

import re
from pathlib import Path

import pytest

from recorder.cli.main import main
from recorder.errors import ExitCode, UsageError
from recorder.scrubbing.lock import drift, read_lock, shape_of, written
from tests.builders import T0, make_capture, record
from tests.scrubbing.helpers import POLICY, orders, people


def test_a_lock_names_paths_and_types_and_no_one(tmp_path: Path) -> None:
    text = written(shape_of(make_capture(tmp_path / "raw", orders(40))))
    (tmp_path / "lock").write_text(text)
    shape = read_lock(tmp_path / "lock")
    assert shape["orders", "value", "customer.id"] == {"number"}
    assert shape["orders", "value", "note"] == {"string"}
    assert shape["orders", "key", ""] == {"string"}
    assert shape["orders", "header user", ""] == {"bytes"}
    assert not any(str(ident) in text or name in text or mail in text for ident, name, mail in people(12))


def test_the_same_shape_gives_the_same_lock(tmp_path: Path) -> None:
    first = shape_of(make_capture(tmp_path / "a", orders(40)))
    assert written(first) == written(shape_of(make_capture(tmp_path / "b", list(orders(60))[::-1])))
    assert drift(first, first) == {}


def test_headers_are_named_with_their_dots_unless_they_look_like_data(tmp_path: Path) -> None:
    headers = [("error.message", "x"), ("kafka_dlt-topic", "x"), ("anna@firma.de", "x"), ("4930901820", "x")]
    shape = shape_of(make_capture(tmp_path / "raw", [record("t", 0, T0, None, None, headers)]))
    assert {place for _topic, place, _path in shape} == {"header error.message", "header kafka_dlt-topic", "header *"}


def test_keys_that_are_data_are_not_named(tmp_path: Path) -> None:
    rows = [record("t", 0, T0, None, {"by": {"anna@firma.de": {"n": 1}, "4930901820": {"n": 2}}})]
    assert set(shape_of(make_capture(tmp_path / "raw", rows))) == {("t", "value", "by.*.n")}


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.yaml").write_text(
        POLICY.replace("customer.name:", '"customer.fax": drop\n      customer.name:')
    )
    make_capture(tmp_path / "before", orders(40))
    return tmp_path


def blackbox(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    said = capsys.readouterr()
    code = ended.value.code
    return (code if isinstance(code, int) else 0), said.out + said.err


def apply(patch: str, work: Path) -> None:
    """What `patch -p0` does with one file, for a patch that fits as it is."""
    _, name = re.findall(r"^(?:---|\+\+\+) (\S+)", patch, re.MULTILINE)
    lines = (work / name).read_text().splitlines()
    grown = 0
    for start, body in re.findall(r"^@@ -(\d+)\S* \S+ @@.*\n((?:[ +-].*\n?)*)", patch, re.MULTILINE):
        at = int(start) - 1 + grown
        old = [line[1:] for line in body.splitlines() if line[0] in " -"]
        new = [line[1:] for line in body.splitlines() if line[0] in " +"]
        assert lines[at : at + len(old)] == old
        lines[at : at + len(old)] = new
        grown += len(new) - len(old)
    (work / name).write_text("".join(f"{line}\n" for line in lines))


def test_what_is_new_fails_with_the_lines_to_add(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = {"order": "text", "customer": {"fax": "+49 30 901820"}}
    make_capture(work / "after", [*orders(40), record("orders", 0, T0, "cust-1", new, [("more", "x")])])
    assert blackbox(capsys, "policy", "lock", "before", "-o", "policy.lock")[0] == ExitCode.OK
    assert blackbox(capsys, "policy", "check", "policy.yaml", "before", "--lock", "policy.lock")[0] == ExitCode.OK
    code, said = blackbox(capsys, "policy", "check", "policy.yaml", "after", "--lock", "policy.lock")
    assert code == ExitCode.DIFFERENT
    assert 'orders: under value add  "customer.fax": drop   # string' in said
    assert 'orders: under headers add  "more": drop' in said
    assert "orders: value order: was number, is also string" in said
    assert "901820" not in said


def test_with_the_lines_added_the_check_passes(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = {"order": 1, "customer": {"fax": "+49 30 901820"}, "tip": 3}
    make_capture(work / "after", [*orders(40), record("orders", 0, T0, "cust-1", new, [("user", "7")])])
    blackbox(capsys, "policy", "lock", "before", "-o", "policy.lock")
    check = ("policy", "check", "policy.yaml", "after", "--lock", "policy.lock")
    code, said = blackbox(capsys, *check)
    assert code == ExitCode.FAILED  # the policy has no rule for the tip, and the lock no line
    (rule,) = re.findall(r"orders: under value add  (\"?tip.*)", said)
    policy = work / "policy.yaml"
    policy.write_text(policy.read_text().replace("      customer.id:", f"      {rule}\n      customer.id:"))
    assert blackbox(capsys, *check)[0] == ExitCode.DIFFERENT
    lock = work / "policy.lock"
    added = re.findall(r"^([+-])(?![+-])(.*)", said, re.MULTILINE)
    assert added == [("+", '      "customer.fax": [string]'), ("+", '      "tip": [number]')]
    apply(said, work)
    assert '"tip": [number]' in lock.read_text()
    assert blackbox(capsys, *check)[0] == ExitCode.OK


@pytest.mark.parametrize("text", ["", "[1", "version: 9\ntopics: {}", "topics: 3"])
def test_what_is_no_lock_is_a_usage_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "lock").write_text(text)
    with pytest.raises(UsageError):
        read_lock(tmp_path / "lock")
