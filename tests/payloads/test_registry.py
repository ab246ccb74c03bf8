"""A registry on its bad days: refusing, hanging, senseless, endless. It costs schemas, with reasons, and no time."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from recorder.kafka.properties import Property
from recorder.payloads import asking
from recorder.payloads import registry as registries
from recorder.payloads.registry import Fetched, connect_registry
from tests.odd_registry import Answer, OddRegistry, odd_registry, said, schema

GOOD = schema('"string"')
SECRET = "s3cr3t-word"


@pytest.fixture
def odd() -> Iterator[OddRegistry]:
    """It has schema 1."""
    with odd_registry({"/schemas/ids/1": GOOD}) as running:
        yield running


def fetch(odd: OddRegistry, *keys: int | str, **settings: str) -> Fetched:
    properties = [Property(name.replace("_", "."), value, "here") for name, value in settings.items()]
    registry = connect_registry(odd.url, properties)
    assert registry is not None
    return registry.fetch(keys)


def endless(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(b" " * (1 << 20))


ODD: dict[str, tuple[Answer, str]] = {
    "forbidden": (said(403, {"error_code": 40301, "message": SECRET}), "answers 403 for schema 2. Check the cred"),
    "broken": (said(500, {"error_code": 50001, "message": SECRET}), "answers 500 for schema 2."),
    "in html": (said(500, b"<html>boom</html>"), "answers 500 for schema 2."),
    "no registry": (said(404, b"<html>nothing here</html>"), "answers 404 for schema 2, and not as a schema registry"),
    "redirect": (said(302, b"", Location=f"http://127.0.0.1:1/?token={SECRET}"), "answers 302 for schema 2."),
    "not json": (said(200, b"<html>Please log in</html>"), "does not answer as a schema registry does"),
    "not utf-8": (said(200, b'{"schema": "\xff"}'), "does not answer as a schema registry does"),
    "too deep": (said(200, b"[" * 100_000), "does not answer as a schema registry does"),
    "another shape": (said(200, [1, 2]), "does not answer as a schema registry does"),
    "no text": (said(200, {"schema": None}), "gives what is no schema"),
    "no string": (said(200, {"schema": {"type": "string"}}), "does not answer as a schema registry does"),
    "half a surrogate": (said(200, b'{"schema": "\\ud800"}'), "gives what is no schema"),
    "another kind": (schema("x", schemaType="THRIFT"), "gives what is no schema (type 'THRIFT'"),
    "senseless references": (schema('"string"', references=[{"name": 7}]), "gives what is no schema"),
    "endless": (endless, "gives more than 1 MiB for schema 2"),
    "a bomb": (
        said(200, gzip.compress(b" " * 50_000_000), Content_Encoding="gzip"), "gives more than 1 MiB for schema 2"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_an_odd_answer_costs_one_schema_and_says_why(
    odd: OddRegistry, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "ANSWER_BYTES", 1 << 20)
    odd.answers["/schemas/ids/2"], says = ODD[name]
    fetched = fetch(odd, 2, 1, 3, basic_auth_user_info=f"me:{SECRET}")
    assert [one.id for one in fetched.schemas] == [1]
    assert fetched.unknown == (3,)
    assert fetched.unresolved.keys() == {2}
    assert says in fetched.unresolved[2]
    assert SECRET not in fetched.unresolved[2]


def test_wrong_credentials_are_not_tried_again_for_each_schema(odd: OddRegistry) -> None:
    odd.answers["/"] = odd.answers["/schemas/ids/1"] = said(401, {"error_code": 40101, "message": "Unauthorized"})
    fetched = fetch(odd, *range(1, 50), bearer_auth_token=SECRET)
    assert fetched.unresolved.keys() == set(range(1, 50))
    assert set(fetched.unresolved.values()) == {
        f"The schema registry {odd.url} answers 401 for schema 1. "
        "Check the credentials (basic.auth.user.info, bearer.auth.token)."
    }
    assert odd.asked == [("/schemas/ids/1", f"Bearer {SECRET}")]


def test_one_that_answers_nothing_but_nonsense_is_asked_three_times(odd: OddRegistry) -> None:
    odd.answers["/"] = said(200, b"<html>Please log in</html>")
    odd.answers["/schemas/ids/1"] = odd.answers["/"]
    assert fetch(odd, *range(100, 200)).unresolved.keys() == set(range(100, 200))
    assert len(odd.asked) == registries.ODD_IN_A_ROW


@pytest.mark.parametrize("how", ["says nothing", "trickles its headers", "trickles its answer"])
def test_one_that_hangs_costs_a_bounded_time(odd: OddRegistry, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registries, "ANSWER_SECONDS", 0.5)

    def answer(request: BaseHTTPRequestHandler) -> None:
        if how == "trickles its answer":
            request.send_response(200)
            request.end_headers()
        while not odd.over.wait(0.02):
            if how != "says nothing":
                request.wfile.write(b" " if how == "trickles its answer" else b"H")

    odd.answers["/schemas/ids/2"] = answer
    begun = time.monotonic()
    fetched = fetch(odd, 1, 2, 3)
    assert time.monotonic() - begun < 30
    assert [one.id for one in fetched.schemas] == [1]
    assert fetched.unresolved == dict.fromkeys((2, 3), f"The schema registry {odd.url} gave no answer in time.")


def test_a_slow_one_gives_what_it_gave_in_time(odd: OddRegistry) -> None:
    registry = connect_registry(odd.url)
    assert registry is not None
    fetched = registry.fetch([1, 2], too_slow=lambda: len(odd.asked) > 1)
    assert ([one.id for one in fetched.schemas], list(fetched.unresolved)) == ([1], [2])
    assert "is too slow" in fetched.unresolved[2]


def test_a_schema_whose_subjects_nobody_tells_is_kept_without(odd: OddRegistry) -> None:
    odd.answers["/schemas/ids/1/versions"] = said(500, {"error_code": 500, "message": "no"})
    (kept,) = fetch(odd, 1).schemas
    assert (kept.id, kept.text, kept.subjects) == (1, '"string"', ())


def test_text_that_is_no_schema_is_kept_and_decoding_says_so(odd: OddRegistry) -> None:
    odd.answers["/schemas/ids/2"] = schema("{garbage", schemaType="PROTOBUF")
    fetched = fetch(odd, 2)
    assert [(one.text, one.descriptor) for one in fetched.schemas] == [("{garbage", None)]


def test_a_guid_and_what_it_refers_to_are_fetched_even_where_they_were_deleted(odd: OddRegistry) -> None:
    guid = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
    odd.answers[f"/schemas/guids/{guid}"] = schema(
        '{"type":"record","name":"A","fields":[{"name":"b","type":"B"}]}',
        references=[{"name": "B", "subject": "b", "version": 2}, {"name": "C", "subject": "c", "version": 1}],
    )
    named = '{"type":"enum","name":"B","symbols":[]}'
    odd.answers["/subjects/b/versions/2?deleted=true"] = schema(named, subject="b", version=2, id=9)
    fetched = fetch(odd, guid)
    assert [(one.id, one.guid) for one in fetched.schemas] == [(9, None), (None, guid)]


def test_nobody_waits_for_a_question_whose_time_is_over() -> None:
    over = threading.Event()
    with pytest.raises(asking.TooLateError):
        asking.within(0.05, over.wait)
    over.set()
    assert asking.within(5, lambda: 7) == 7
