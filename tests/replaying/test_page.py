"""The page stands alone, says what the certificate says, and lets no name of a topic become markup."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from recorder.replaying.certificate import Certificate, write_certificate
from recorder.replaying.page import page
from recorder.replaying.tally import Failure
from tests.cli.running import run
from tests.replaying.certificates import a_certificate


class Looked(HTMLParser):
    """Tags that were opened and not closed, and all that would be fetched or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.outside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.outside += [name for name, _ in attrs if name in {"src", "href", "onload", "onclick"}]
        if tag not in {"meta", "line", "path"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_it_is_whole_and_fetches_nothing() -> None:
    text = page(a_certificate())
    looked = Looked(text)
    assert looked.open == []
    assert looked.outside == []
    assert "script" not in looked.tags
    assert "url(" not in text
    assert "http" not in text
    assert "prefers-color-scheme:dark" in text
    assert [title in text for title in ("Lateness over time", "Histogram", "Rate, planned and sent")] == [True] * 3


def test_names_do_not_become_markup() -> None:
    failure = Failure(topic="<script>", partition=0, offset=1, error="<b>&")
    certificate = msgspec.structs.replace(a_certificate(), capture="<img>", failures=(failure,))
    text = page(certificate)
    assert "<script>" not in text
    assert "<img>" not in text
    assert "&lt;b&gt;&amp;" in text


def test_two_stand_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    write_certificate(a_certificate(), one)
    write_certificate(msgspec.structs.replace(a_certificate(), capture="later", retries=4), two)
    shown = run(capsys, "timing", one, "--compare", two)
    assert shown.code == 0
    assert "dispatch lateness p99 (ms)" in shown.out
    assert [line.split()[-2:] for line in shown.out.splitlines() if line.startswith("requests retried")] == [["0", "4"]]
    assert run(capsys, "timing", one, "--compare", two, "--html", tmp_path / "both.html").code == 0
    assert "later" in (tmp_path / "both.html").read_text()
    nowhere = run(capsys, "timing", one, "--html", tmp_path / "none" / "page.html")
    assert nowhere.code == 2
    assert "can't be written" in nowhere.sentence()


@pytest.mark.parametrize("records", [0, 1])
def test_there_is_a_page_for_next_to_nothing(records: int) -> None:
    bare: Certificate = msgspec.structs.replace(
        a_certificate(), rhythm=None, dispatch_lateness=None, ack_lateness=None, round_trip=None, planned=records
    )
    assert Looked(page(bare)).open == []
