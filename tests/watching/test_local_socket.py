"""The watcher's socket is its user's own, answers every caller, and never takes another watcher's place."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from recorder.errors import ExitCode, UsageError
from recorder.watching.local_socket import CallError, call, default_path, listening


def answer(name: str) -> dict[str, Any]:
    return {"capture": name} if name != "no" else {"error": "No.", "exit_code": 7}


def test_a_call_is_answered(tmp_path: Path) -> None:
    with listening(tmp_path / "s", answer):
        assert call(tmp_path / "s", "oncall") == {"capture": "oncall"}
    assert not (tmp_path / "s").exists()


def test_only_the_watchers_user_may_open_it(tmp_path: Path) -> None:
    with listening(tmp_path / "run" / "s", answer):
        assert (tmp_path / "run" / "s").stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700


def test_a_no_carries_its_exit_code(tmp_path: Path) -> None:
    with listening(tmp_path / "s", answer), pytest.raises(CallError, match=r"No\.") as caught:
        call(tmp_path / "s", "no")
    assert caught.value.exit_code == ExitCode.REFUSED


def test_many_callers_at_once(tmp_path: Path) -> None:
    with listening(tmp_path / "s", answer), ThreadPoolExecutor(8) as pool:
        names = [f"t{i}" for i in range(64)]
        assert [one["capture"] for one in pool.map(lambda name: call(tmp_path / "s", name), names)] == names


def test_a_call_that_was_heard_is_answered_before_the_end(tmp_path: Path) -> None:
    heard, go_on = threading.Event(), threading.Event()

    def slow(name: str) -> dict[str, Any]:
        heard.set()
        assert go_on.wait(10)
        return {"capture": name}

    with ThreadPoolExecutor(1) as pool, listening(tmp_path / "s", slow):
        said = pool.submit(call, tmp_path / "s", "oncall")
        assert heard.wait(10)
        threading.Timer(0.1, go_on.set).start()
    assert said.result() == {"capture": "oncall"}


@pytest.mark.parametrize("line", [b"\n", b"oncall\n", b"[1]\n", b'{"name": 1}\n', b"\xff\n", b"x" * 10_000 + b"\n"])
def test_noise_is_answered_and_harms_nobody(tmp_path: Path, line: bytes) -> None:
    with listening(tmp_path / "s", answer):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(tmp_path / "s"))
            connection.sendall(line)
            assert b"This is no call of a trigger" in connection.recv(1_000)
        assert call(tmp_path / "s", "oncall") == {"capture": "oncall"}


def test_a_socket_that_a_killed_watcher_left_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "s"))
    assert (tmp_path / "s").exists()
    with listening(tmp_path / "s", answer):
        assert call(tmp_path / "s", "oncall") == {"capture": "oncall"}


def test_a_watcher_that_lives_keeps_its_socket(tmp_path: Path) -> None:
    with listening(tmp_path / "s", answer):
        with pytest.raises(UsageError, match="Another watcher listens"), listening(tmp_path / "s", answer):
            pass
        assert call(tmp_path / "s", "oncall") == {"capture": "oncall"}


@pytest.mark.parametrize("name", ["file", "x" * 120])
def test_a_path_that_can_be_no_socket(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="Give another socket:"), listening(tmp_path / name, answer):
        pass
    assert (tmp_path / "file").exists()


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(CallError, match=r"No watcher answers at .*: is 'blackbox watch' running") as caught:
        call(tmp_path / "s", "oncall")
    assert caught.value.exit_code == ExitCode.FAILED


def test_where_it_is_unless_it_was_said() -> None:
    assert default_path({"BLACKBOX_WATCH_SOCKET": "/a/b", "RUNTIME_DIRECTORY": "/run/x"}) == Path("/a/b")
    assert default_path({"RUNTIME_DIRECTORY": "/run/x:/run/y"}) == Path("/run/x/watch.sock")
