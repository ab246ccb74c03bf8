"""What a draft says where tokens stand: whatever a place is called, they go whole, and no part of one is told."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from desensitizers.policy import Policy
from recorder.capture.verify import failed
from recorder.scrubbing.scrub import scrub
from recorder.scrubbing.suggest import suggest
from recorder.scrubbing.verify_clean import verify_clean
from tests.builders import T0, make_capture, record
from tests.scrubbing.helpers import SECRET
from tests.scrubbing.test_suggest import loaded, values

REMOVED = {"rule": "replace", "with": "[removed]"}


def _part(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def token(n: int) -> str:
    """A signed JWT (RFC 7519) of customer `n`."""
    signature = base64.urlsafe_b64encode(bytes([n % 256, 7, 9] * 11)).decode()
    claims = {"sub": f"cust-{n}", "email": f"zoe.{n}@firma.de"}
    return f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}.{signature}"


@pytest.mark.parametrize(
    ("name", "make", "count"),
    [
        ("x", token, "all 90"),
        ("x", lambda n: f"Bearer {token(n)}", "all 90"),
        ("customerName", lambda n: f"JWT {token(n)}", "all 90"),
        ("email", lambda n: token(n) if n % 3 else "none", "60 of 90"),
        ("requestId", lambda n: token(n) if n % 3 else f"r{n}", "60 of 90"),
    ],
)
def test_tokens_go_whole_whatever_the_field_is_called(
    tmp_path: Path, name: str, make: Callable[[int], str], count: str
) -> None:
    drafted, found = values(tmp_path / "raw", ({name: make(n)} for n in range(90)))
    assert drafted == {name: REMOVED}
    assert f"{count} values are JSON Web Tokens" in found.text
    assert found.waiting == 0
    assert not any(part in found.text for part in ("eyJ", "zoe", "firma"))


def test_a_few_tokens_among_texts_are_masked_with_them_and_counted(tmp_path: Path) -> None:
    rows = ({"x": f"a call with {token(n)}" if n % 30 == 0 else f"code{n}"} for n in range(90))
    drafted, found = values(tmp_path / "raw", rows)
    assert drafted == {"x": "mask"}
    assert "JSON Web Tokens in 3" in found.text


@pytest.mark.parametrize("name", ["traceparent", "ce_id", "content-type", "x-forwarded", "authorization"])
def test_no_header_is_kept_with_a_token_in_it_though_a_standard_defines_it(tmp_path: Path, name: str) -> None:
    rows = [record("t", 0, T0 + n, token(n), {"vip": True}, [(name, f"Bearer {token(n)}")]) for n in range(30)]
    raw = make_capture(tmp_path / "raw", rows)
    found = suggest(raw)
    drafted = loaded(found.text)["t"]
    assert drafted["headers"][name] == ("drop" if name == "authorization" else REMOVED)
    assert drafted["key"] == "hash"
    scrub(raw, Policy.parse(found.text, env=SECRET), tmp_path / "clean")
    assert not failed(verify_clean(tmp_path / "clean", parent=raw))


def test_other_tokens_behind_a_scheme_go_whole_too(tmp_path: Path) -> None:
    drafted, found = values(tmp_path / "raw", ({"x": f"Bearer k9Zq{n:04d}xTr7vB2mLw0s"} for n in range(60)))
    assert drafted == {"x": REMOVED}
    assert "all 60 values are keys or tokens" in found.text
