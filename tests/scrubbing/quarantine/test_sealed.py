"""The quarantine's file: it opens whole with its key, and not at all when a byte, a chunk or its end is another."""

from __future__ import annotations

import os
import stat
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recorder.errors import BlackboxError, CaptureError, UsageError
from recorder.scrubbing.quarantine.keys import load_opener, load_recipient, new_quarantine_pair
from recorder.scrubbing.quarantine.sealed import CHUNK_BYTES, END, MAGIC, Sealed, SealedWriter
from recorder.scrubbing.signing import new_pair
from tests.conftest import examples

SUMMARY = b'{"records":1,"lines":[]}'
_SEALED_CHUNK = CHUNK_BYTES + 16


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("keys")
    new_quarantine_pair(work / "q.key", work / "q.pub")
    new_quarantine_pair(work / "other.key", work / "other.pub")
    new_pair(work / "signing.key", work / "signing.pub")
    return work


def write(path: Path, keys: Path, *pieces: bytes) -> Path:
    path.unlink(missing_ok=True)
    writer = SealedWriter(path, load_recipient(keys / "q.pub"), parent_id="p", made_at_ms=1, tool="t")
    for piece in pieces:
        writer.write(piece)
    writer.finish(SUMMARY)
    assert writer.bytes == path.stat().st_size
    return path


def read(path: Path, keys: Path, key: str = "q.key") -> bytes:
    return b"".join(Sealed(path).chunks(load_opener(keys / key)))


def chunks_of(path: Path) -> tuple[bytes, list[bytes], bytes]:
    """(head, sealed chunks, summary and end)"""
    sealed = Sealed(path)
    content = path.read_bytes()
    body = content[sealed._begin : sealed._stop]
    cut = [body[at : at + _SEALED_CHUNK] for at in range(0, len(body), _SEALED_CHUNK)]
    return content[: sealed._begin], cut, content[sealed._stop :]


@given(
    size=st.sampled_from([1, 2, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 3 * CHUNK_BYTES + 7]),
    cuts=st.lists(st.integers(0, 3 * CHUNK_BYTES + 7), max_size=5),
)
@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_written_comes_back_however_it_was_handed_over(
    size: int, cuts: list[int], tmp_path: Path, keys: Path
) -> None:
    content = os.urandom(size)
    edges = [0, *sorted(cut for cut in cuts if cut < size), size]
    path = write(tmp_path / "q", keys, *(content[a:b] for a, b in pairwise(edges)))
    assert read(path, keys) == content
    assert Sealed(path).summary == SUMMARY


def test_only_its_owner_may_read_it_and_nothing_of_it_is_in_the_clear(tmp_path: Path, keys: Path) -> None:
    text = b"Zoe Mueller, zoe@firma.de " * 10_000
    path = write(tmp_path / "q", keys, text)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert text[:8] not in path.read_bytes()
    with pytest.raises(FileExistsError):
        SealedWriter(path, load_recipient(keys / "q.pub"), parent_id="p", made_at_ms=1, tool="t")


def test_two_files_of_the_same_content_have_nothing_in_common(tmp_path: Path, keys: Path) -> None:
    one, two = (chunks_of(write(tmp_path / name, keys, b"x" * 100_000))[1] for name in "ab")
    assert set(one).isdisjoint(two)


@given(data=st.data())
@settings(max_examples=examples(50), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_byte_that_is_another_is_found(data: st.DataObject, tmp_path: Path, keys: Path) -> None:
    path = write(tmp_path / "q", keys, bytes(CHUNK_BYTES + 100))
    content = bytearray(path.read_bytes())
    head, _chunks, tail = chunks_of(path)
    places = (
        st.integers(0, len(head) - 1) | st.integers(0, len(content) - 1) | st.integers(1, len(tail)).map(int.__neg__)
    )
    content[data.draw(places)] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    with pytest.raises(BlackboxError):
        read(path, keys)


@given(data=st.data())
@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_chunks_that_were_moved_left_out_or_doubled_do_not_open(
    data: st.DataObject, tmp_path: Path, keys: Path
) -> None:
    path = write(tmp_path / "q", keys, bytes(4 * CHUNK_BYTES))
    head, chunks, tail = chunks_of(path)
    order = data.draw(st.lists(st.sampled_from(range(len(chunks))), min_size=1, max_size=6))
    if order == list(range(len(chunks))):
        order = order[:-1]
    path.write_bytes(head + b"".join(chunks[number] for number in order) + tail)
    with pytest.raises(CaptureError):
        read(path, keys)


@given(length=st.floats(0, 1, exclude_max=True))
@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_that_is_cut_off_anywhere_is_torn_even_without_a_key(length: float, tmp_path: Path, keys: Path) -> None:
    path = write(tmp_path / "q", keys, b"x" * (CHUNK_BYTES + 10))
    content = path.read_bytes()
    path.write_bytes(content[: int(length * len(content))])
    with pytest.raises(BlackboxError, match=r"is a torn quarantine|is no quarantine"):
        Sealed(path)


def test_more_after_the_end_is_torn_too(tmp_path: Path, keys: Path) -> None:
    path = write(tmp_path / "q", keys, b"x")
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(CaptureError, match="torn"):
        Sealed(path)


def test_counts_that_were_edited_are_found_with_the_key(tmp_path: Path, keys: Path) -> None:
    path = write(tmp_path / "q", keys, b"x")
    path.write_bytes(path.read_bytes().replace(b'"records":1', b'"records":0'))
    assert b'"records":0' in Sealed(path).summary
    with pytest.raises(CaptureError, match="was altered"):
        read(path, keys)


def test_the_chunks_of_another_file_for_the_same_key_do_not_open(tmp_path: Path, keys: Path) -> None:
    one, two = write(tmp_path / "a", keys, b"x" * 10), write(tmp_path / "b", keys, b"y" * 10)
    head, _chunks, tail = chunks_of(one)
    one.write_bytes(head + chunks_of(two)[1][0] + tail)
    with pytest.raises(CaptureError, match="was altered"):
        read(one, keys)


def test_another_key_is_said_so(tmp_path: Path, keys: Path) -> None:
    with pytest.raises(UsageError, match=r"is encrypted for key [0-9a-f]{16}, and the one given is [0-9a-f]{16}"):
        read(write(tmp_path / "q", keys, b"x"), keys, "other.key")


@pytest.mark.parametrize("content", [b"", b"hello", MAGIC[:-1], MAGIC, MAGIC + b"\xff\xff\xff\xff", MAGIC + END])
def test_a_foreign_or_torn_file_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(BlackboxError, match=r"is no quarantine|is a torn quarantine"):
        Sealed(tmp_path / "x")


def test_keys_of_the_wrong_kind_are_usage_errors(keys: Path) -> None:
    for name, says in (
        ("q.key", "holds a private key"),
        ("signing.pub", "another kind of key than X25519"),
        ("gone", "Can't read the key"),
    ):
        with pytest.raises(UsageError, match=says):
            load_recipient(keys / name)
    for name, says in (("q.pub", "holds a public key"), ("signing.key", "another kind of key than X25519")):
        with pytest.raises(UsageError, match=says):
            load_opener(keys / name)
    (keys / "noise").write_text("-----BEGIN NOISE-----")
    for load in (load_recipient, load_opener):
        with pytest.raises(UsageError, match="holds no"):
            load(keys / "noise")
