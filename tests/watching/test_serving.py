"""Health and metrics are told to anybody who may reach the address; triggers want the token."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from recorder.errors import UsageError
from recorder.watching.figures import SILENT_SECONDS, Figures
from recorder.watching.serving import serving
from recorder.watching.settings import Http

TOKEN = "0123456789abcdef"
HERE = Http("127.0.0.1", 0, TOKEN)


def answer(name: str) -> dict[str, Any]:
    said: dict[str, dict[str, Any]] = {
        "nobody": {"error": "No trigger 'nobody'.", "exit_code": 2},
        "capped": {"error": "The cap.", "exit_code": 7},
        "full": {"error": "The disk is full.", "exit_code": 1},
    }
    return said.get(name, {"capture": name})


def ask(port: int, path: str, *, post: bool = False, token: str | None = TOKEN) -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=b"{}" if post else None)
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=10) as said:
            return said.status, said.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/triggers/oncall", 202),
        ("/triggers/nobody", 404),
        ("/triggers/capped", 429),
        ("/triggers/full", 503),
        ("/triggers/", 404),
        ("/elsewhere", 404),
    ],
)
def test_a_post_triggers(path: str, status: int) -> None:
    with serving(HERE, Figures(), answer) as port:
        assert ask(port, path, post=True)[0] == status


@pytest.mark.parametrize("token", [None, "", "0123456789abcdeg", TOKEN + "0", "ünicode"])
def test_without_the_token_nothing_triggers(token: str | None) -> None:
    def never(name: str) -> dict[str, Any]:
        raise AssertionError(name)

    with serving(HERE, Figures(), never) as port:
        given = token.encode().decode("latin-1") if token else token
        assert ask(port, "/triggers/oncall", post=True, token=given)[0] == 401


def test_where_no_token_was_set_nothing_triggers() -> None:
    with serving(Http("127.0.0.1", 0, None), Figures(), answer) as port:
        assert ask(port, "/triggers/oncall", post=True, token="None")[0] == 401
        assert ask(port, "/metrics", token=None)[0] == 200


def test_health_says_what_was_withheld() -> None:
    figures = Figures()
    figures.count("withheld_records", "oncall", 3)
    with serving(HERE, figures, answer) as port:
        assert ask(port, "/healthz", token=None)[1] == '{"status": "ok", "pending": 0, "withheld_records": 3}\n'
        assert 'withheld_records_total{trigger="oncall"} 3' in ask(port, "/metrics", token=None)[1]


def test_health_says_what_is_wrong() -> None:
    figures = Figures()
    with serving(HERE, figures, answer) as port:
        assert ask(port, "/healthz", token=None) == (200, '{"status": "ok", "pending": 0}\n')
        figures.failed("No broker.")
        figures.turned -= SILENT_SECONDS + 1
        status, text = ask(port, "/healthz", token=None)
    assert status == 503
    assert "the watcher stands still for 61 s" in text
    assert '"text": "No broker."' in text


def test_metrics_in_prometheus_text_format() -> None:
    figures = Figures()
    figures.count("triggers_taken", "oncall", 3)
    figures.count("captured_records", by=1_234)
    figures.lag = {("payments.dlq", 2): 17, ('odd"\\\n', 0): 1}
    with serving(HERE, figures, answer) as port:
        text = ask(port, "/metrics")[1]
    lines = text.splitlines()
    assert 'blackbox_watch_triggers_taken_total{trigger="oncall"} 3' in lines
    assert "blackbox_watch_captured_records_total 1234" in lines
    assert "blackbox_watch_captures_total 0" in lines
    assert 'blackbox_watch_lag_records{topic="payments.dlq",partition="2"} 17' in lines
    assert 'blackbox_watch_lag_records{topic="odd\\"\\\\\\n",partition="0"} 1' in lines
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
    for line in lines:
        assert line.startswith(("# HELP blackbox_watch_", "# TYPE blackbox_watch_", "blackbox_watch_"))


def test_a_body_that_is_too_large_is_refused_unread() -> None:
    with serving(HERE, Figures(), answer) as port, socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"POST /triggers/oncall HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n")
        assert b" 413 " in connection.recv(1_000)


def test_an_address_that_is_taken(tmp_path: Path) -> None:
    with (
        serving(HERE, Figures(), answer) as port,
        pytest.raises(UsageError, match=f"Can't listen on 127.0.0.1:{port}"),
        serving(Http("127.0.0.1", port, TOKEN), Figures(), answer),
    ):
        pass
