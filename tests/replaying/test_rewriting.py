"""People's own code changes records: what it did is counted, what it must not do ends the replay with a sentence."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recorder.capture.reader import Capture
from recorder.capture.schema import Record
from recorder.errors import UsageError
from recorder.replaying.changes import ChangeError
from recorder.replaying.middleware import Middleware
from recorder.replaying.rewriting import Transform, load_transform, rewritten
from recorder.replaying.timeline import Piece
from tests.builders import T0, make_capture, record
from tests.replaying.reading import values
from tests.replaying.test_changes import counted, sent

ODD = [
    record("orders", 0, T0, None, None),
    record("orders", 0, T0 + 1, b"", b""),
    record("orders", 0, T0 + 2, b"\xff", '{"a": "ä\\n"}', [("h", None), ("h", b""), ("h", b"\x00\xff")]),
    record("orders", 1, T0 + 3, "k", "line\nbreak\u2028and \x00"),
]


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    return make_capture(tmp_path / "c", ODD)


def transformed(capture: Capture, function: Callable[[Record], Any]) -> list[Piece]:
    return sent(capture, [rewritten(Transform("transform it", function), "transform it")])


def piped(capture: Capture, program: str, *, seconds: float = 10.0) -> list[Piece]:
    """Through a Python program that has `line`s (parsed) and `say`."""
    head = (
        "import json, sys, time, os\n"
        "say = lambda a: print(json.dumps(a), flush=True)\n"
        "lines = map(json.loads, sys.stdin)\n"
    )
    file = capture.root.parent / "program.py"
    file.write_text(head + program)
    with Middleware(f"{sys.executable} {file}", patience_seconds=seconds) as middleware:
        return sent(capture, [rewritten(middleware, "middleware it")])


def test_what_changes_nothing_leaves_no_mark(capture: Capture) -> None:
    for pieces in (transformed(capture, lambda one: one), piped(capture, "for line in lines: say(line)")):
        assert values(pieces) == [one.value for one in ODD]
        assert [key for piece in pieces for key in piece.columns.keys] == [one.key for one in ODD]
        assert [pairs for piece in pieces for pairs in piece.columns.headers] == [
            list(one.headers) or None for one in ODD
        ]
        assert all(piece.changed is None for piece in pieces)


def test_changed_dropped_added_and_other_keys_are_counted(capture: Capture) -> None:
    def change(one: Record) -> list[Record] | Record | None:
        if one.value is None:
            return None
        if one.value == b"":
            return [one, one._replace(value=b"more"), one._replace(value=b"and more")]
        return one._replace(key=b"new", headers=(), timestamp_ms=T0 + 9) if one.key == b"k" else one

    pieces = transformed(capture, change)
    assert values(pieces) == [b"", b"more", b"and more", ODD[2].value, ODD[3].value]
    assert [stamp - T0 for piece in pieces for stamp in piece.columns.timestamps] == [1, 1, 1, 2, 9]
    counts = counted(pieces).counts()
    assert counts.marked == {"added by transform it": 2, "changed by transform it": 1, "key changed by transform it": 1}
    assert (counts.left_out, counts.added) == ({"dropped by transform it": 1}, 2)


def test_a_program_may_change_drop_and_add(capture: Capture) -> None:
    pieces = piped(
        capture,
        "for number, line in enumerate(lines):\n"
        "    say([None, [line, line], dict(line, value={'base64': '/w=='}), dict(line, key=None)][number])",
    )
    assert values(pieces) == [b"", b"", b"\xff", ODD[3].value]
    counts = counted(pieces).counts()
    assert (counts.left_out, counts.added) == ({"dropped by middleware it": 1}, 1)
    assert counts.marked["changed by middleware it"] == 2
    assert counts.marked["key changed by middleware it"] == 1


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("next(lines); sys.exit(3)", r"ended with exit code 3 after 0 answers, with . lines waiting"),
        ("say(next(lines)); os.kill(os.getpid(), 9)", r"was killed by signal 9 after 1 answers, with . lines"),
        ("say(next(lines)); time.sleep(60)", r"gave no answer for 2 s, after 1 answers: it must answer each line"),
        ("for line in lines: print('{', flush=True)", r"answered for orders/0@0 with what is no such record"),
        ("for line in lines: say(dict(line, value=1))", r"answered for orders/0@0 with what is no such record"),
        ("for line in lines: say(dict(line, value={'a': 'b'}))", r"a payload is null, a string, or"),
        ("for line in lines: say(dict(line, value={'base64': '?'}))", r"not base64"),
        ("for line in lines: say(line); say(line)", r"for orders/0@1 with a record of orders/0@0|with more"),
        ("for line in lines: line['offset'] and say(line)", r"gave no answer|with a record of|ended with"),
        ("for line in lines: say(dict(line, topic='other'))", r"with a record of other/0@0: leave topic"),
    ],
)
def test_a_program_that_dies_lags_garbles_or_swallows_is_a_sentence(capture: Capture, program: str, said: str) -> None:
    with pytest.raises(ChangeError, match=said):
        piped(capture, program, seconds=2.0 if "no answer" in said else 30.0)


def test_many_large_records_go_through_without_either_side_waiting_for_the_other(tmp_path: Path) -> None:
    rows = [record("orders", 0, T0 + i, "k", b"\xff" * 3_000) for i in range(1_200)]
    pieces = piped(make_capture(tmp_path / "c", rows), "for line in lines: say(line)")
    assert values(pieces) == [one.value for one in rows]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda one: 1 // 0, r"transform it failed for orders/0@0 \(ZeroDivisionError"),
        (lambda one: 1, r"failed for orders/0@0 \(TypeError"),
        (lambda one: [1], r"can't be sent \(int\)"),
        (lambda one: one._replace(value="text"), r"can't be sent \(key NoneType, value str\)"),
        (lambda one: one._replace(headers=None), "can't be sent"),
        (lambda one: one._replace(timestamp_ms=1 << 63), "can't be sent"),
        (lambda one: one._replace(partition=9), "with a record of orders/9@0: leave topic"),
    ],
)
def test_a_function_that_fails_or_answers_nonsense_is_a_sentence(
    capture: Capture, function: Callable[[Record], Any], said: str
) -> None:
    with pytest.raises(ChangeError, match=said):
        transformed(capture, function)


def test_functions_and_programs_are_looked_for_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_changes.py").write_text("def same(record):\n    return record\n\nnumber = 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    assert load_transform("my_changes:same").name == "transform my_changes:same"
    for text, said in (
        ("my_changes", "names no function"),
        ("my_changes:other", "can't be loaded: AttributeError"),
        ("nowhere_at_all:f", "can't be loaded: ModuleNotFoundError"),
        ("my_changes:number", "is no function"),
    ):
        with pytest.raises(UsageError, match=said):
            load_transform(text)
    for command in ("no-such-program -x", "", "'unbalanced"):
        with pytest.raises(UsageError, match="--middleware"):
            Middleware(command)
