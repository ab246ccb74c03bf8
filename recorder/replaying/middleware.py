"""A program of somebody's that changes records: it gets a JSON line for each and answers each with one, in turn.

An answer is the record (changed or not), ``null`` to leave it out, or a list to send several. One line for each line
is what makes a lost answer noticeable, so nothing can vanish or be garbled in silence.
"""

from __future__ import annotations

import base64
import binascii
import os
import selectors
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import msgspec
import pyarrow as pa

from recorder.capture.schema import HEADERS_TYPE, RECORD_SCHEMA, Record
from recorder.errors import UsageError
from recorder.payloads import shown
from recorder.payloads.lines import objects
from recorder.replaying.changes import ChangeError
from recorder.replaying.rewriting import place

ANSWER_SECONDS = 10.0
_END_SECONDS = 2.0
_TURN_SECONDS = 0.1
_CHUNK = 1 << 16
_LONGEST_LINE = 64 << 20

Payload = str | dict[str, str] | None


class _Answer(msgspec.Struct):
    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: Payload
    value: Payload
    headers: list[tuple[str, Payload]]


_DECODER = msgspec.json.Decoder(_Answer | list[_Answer] | None)


class Middleware:
    """One such program, for the length of a `with` block; its standard error is ours. Not for several threads."""

    def __init__(self, command: str, *, patience_seconds: float = ANSWER_SECONDS) -> None:
        """Raises UsageError when there is no such program."""
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"--middleware {command}: {error}.") from None
        if not self._words or shutil.which(self._words[0]) is None:
            raise UsageError(f"--middleware {command}: there is no program {self._words[0] if self._words else ''!r}.")
        self.name = f"middleware {command}"
        self._patience = patience_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._left = b""
        self._answered = 0
        self._abandoned = False

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        assert process is not None
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def abandon(self) -> None:
        """Nobody wants its answers any more: who waits for one gives up. From any thread."""
        self._abandoned = True

    def __call__(self, records: Sequence[Record]) -> Iterable[Sequence[Record]]:
        """Raises ChangeError when it does not answer as it should."""
        lines = objects(batch := _batch(records), shown.raw(batch, "key"), shown.raw(batch, "value"))
        answers = self._exchange("".join(f"{line}\n" for line in lines.to_pylist()).encode(), len(records))
        return [self._read(record, answer) for record, answer in zip(records, answers, strict=True)]

    def _exchange(self, request: bytes, wanted: int) -> list[bytes]:
        """Send, and wait for so many lines; both at once, so that neither side waits for the other for ever."""
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        view, lines, heard = memoryview(request), list[bytes](), time.monotonic()
        with selectors.DefaultSelector() as ready:
            ready.register(process.stdin, selectors.EVENT_WRITE)
            ready.register(process.stdout, selectors.EVENT_READ)
            while len(lines) < wanted:
                for key, _ in ready.select(_TURN_SECONDS):
                    if key.fileobj is process.stdin:
                        with suppress(BrokenPipeError):  # reading tells more
                            view = view[os.write(process.stdin.fileno(), view[:_CHUNK]) :]
                        if not view:
                            ready.unregister(process.stdin)
                        continue
                    piece = os.read(process.stdout.fileno(), _CHUNK)
                    if not piece:
                        raise self._ended(process, len(lines), wanted)
                    heard = time.monotonic()
                    *whole, self._left = (self._left + piece).split(b"\n")
                    lines += whole
                if self._abandoned:
                    raise ChangeError(f"{self.name} was not waited for")
                if time.monotonic() - heard > self._patience or len(self._left) > _LONGEST_LINE:
                    raise ChangeError(
                        f"{self.name} gave no answer for {self._patience:.0f} s, after {self._answered + len(lines):,} "
                        "answers: it must answer each line with one, at once (unbuffered), and null to leave one out"
                    )
        if len(lines) > wanted or self._left:
            raise ChangeError(
                f"{self.name} answered {wanted:,} lines with more: it must answer each with one, a list to send several"
            )
        self._answered += wanted
        return lines

    def _ended(self, process: subprocess.Popen[bytes], answered: int, wanted: int) -> ChangeError:
        try:
            code = process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            how = "closed its output"
        else:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return ChangeError(
            f"{self.name} {how} after {self._answered + answered:,} answers, with {wanted - answered:,} lines waiting"
        )

    def _read(self, record: Record, line: bytes) -> list[Record]:
        try:
            answer = _DECODER.decode(line)
            several = answer if isinstance(answer, list) else [] if answer is None else [answer]
            return [_record(record, one) for one in several]
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
            raise ChangeError(
                f"{self.name} answered for {place(record)} with what is no such record ({error}): answer as 'blackbox "
                "cat --raw --format ndjson' writes them"
            ) from None


def _record(was: Record, answer: _Answer) -> Record:
    return was._replace(
        topic=answer.topic,
        partition=answer.partition,
        offset=answer.offset,
        timestamp_ms=answer.timestamp_ms,
        key=_bytes(answer.key),
        value=_bytes(answer.value),
        headers=tuple((name, _bytes(value)) for name, value in answer.headers),
    )


def _bytes(payload: Payload) -> bytes | None:
    if payload is None or isinstance(payload, str):
        return payload if payload is None else payload.encode()
    if payload.keys() != {"base64"}:
        raise ValueError('a payload is null, a string, or {"base64": …}')
    try:
        return base64.b64decode(payload["base64"], validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from None


def _batch(records: Sequence[Record]) -> pa.RecordBatch:
    columns: dict[str, list[Any]] = {
        name: list(column) for name, column in zip(Record._fields, zip(*records, strict=True), strict=True)
    }
    pairs = [[{"key": key, "value": value} for key, value in headers] for headers in columns.pop("headers")]
    arrays = {name: pa.array(column, RECORD_SCHEMA.field(name).type) for name, column in columns.items()}
    arrays["headers"] = pa.array(pairs, HEADERS_TYPE)
    return pa.record_batch([arrays[name] for name in RECORD_SCHEMA.names], schema=RECORD_SCHEMA)
