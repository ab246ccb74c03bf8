"""The quarantine's file: a stream of bytes encrypted for one public key, and beside it a summary that anybody can read.

A key of the file's own comes from an X25519 exchange with a key pair that lives only while it is written (HKDF-SHA256,
bound to the head). The stream is cut into chunks of 64 KiB under ChaCha20-Poly1305, whose nonces count them and mark
the last (STREAM of Hoang, Reyhanitabar, Rogaway and Vizár, 2015, as the age format has it): chunks that were altered,
moved, left out or cut off at the end don't open. The last chunk also vouches for the summary.

    "kafka-blackbox quarantine 1\\n"  u32 length  head (JSON)  chunks  summary (JSON) u32 length "end of quarantine\\n"
"""

from __future__ import annotations

import base64
import hashlib
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from recorder.errors import CaptureError, UsageError
from recorder.scrubbing.quarantine.keys import Opener, Recipient

MAGIC = b"kafka-blackbox quarantine 1\n"
END = b"end of quarantine\n"
CHUNK_BYTES = 64 << 10
_TAG_BYTES = 16
_LENGTH = struct.Struct("<I")
_MOST_HEAD_BYTES = 1 << 20


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the clear at the beginning; it can't be altered without losing the key."""

    recipient: str
    """The id of the key that opens it."""
    ephemeral: str
    """The public key of the exchange, base64."""
    parent_id: str
    """The capture that the records are from."""
    made_at_ms: int
    tool: str


class SealedWriter:
    """Writes a new file that only its owner may read. Nothing of what it is given touches the disk in the clear."""

    def __init__(self, path: Path, recipient: Recipient, *, parent_id: str, made_at_ms: int, tool: str) -> None:
        """Raises OSError, FileExistsError where something stands already."""
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        ephemeral = Opener(X25519PrivateKey.generate())
        head = msgspec.json.encode(
            Head(
                recipient=recipient.key_id,
                ephemeral=base64.b64encode(ephemeral.recipient.raw).decode(),
                parent_id=parent_id,
                made_at_ms=made_at_ms,
                tool=tool,
            )
        )
        shared = ephemeral.shared(recipient.key)
        self._cipher = ChaCha20Poly1305(_file_key(shared, ephemeral.recipient, recipient, head))
        self._chunks = 0
        self._pending = bytearray()
        self._digest = hashlib.sha256()
        self.bytes = 0
        self._path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        self._file: BinaryIO = os.fdopen(os.open(path, flags, 0o600), "wb")
        self._put(MAGIC + _LENGTH.pack(len(head)) + head)

    @property
    def sha256(self) -> str:
        """Of all that was written."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> None:
        """Raises OSError."""
        self._pending += data
        whole = (len(self._pending) - 1) // CHUNK_BYTES * CHUNK_BYTES  # the last chunk is never empty
        for start in range(0, whole, CHUNK_BYTES):
            self._seal(bytes(self._pending[start : start + CHUNK_BYTES]), last=False, summary=b"")
        del self._pending[:whole]

    def finish(self, summary: bytes) -> None:
        """The last chunk and the summary, flushed to disk. Something must have been written. Raises OSError."""
        assert self._pending, "an empty quarantine is never written"
        self._seal(bytes(self._pending), last=True, summary=summary)
        self._pending.clear()
        self._put(summary + _LENGTH.pack(len(summary)) + END)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def abandon(self) -> None:
        """Close without the end and remove the file, if it is still there."""
        with suppress(OSError):  # the disk is full: what it could not write goes with the file
            self._file.close()
        self._path.unlink(missing_ok=True)

    def _seal(self, chunk: bytes, *, last: bool, summary: bytes) -> None:
        self._put(self._cipher.encrypt(_nonce(self._chunks, last=last), chunk, summary))
        self._chunks += 1

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self.bytes += len(data)


class Sealed:
    """A file that was written whole. Raises UsageError for what is no quarantine, CaptureError for a torn one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                if file.read(len(MAGIC)) != MAGIC:
                    raise UsageError(f"{path} is no quarantine: give a file that 'blackbox scrub --quarantine' wrote.")
                self._head = self._part(file, file.read(_LENGTH.size))
                self._begin = file.tell()
                size = file.seek(0, os.SEEK_END)
                tail = _LENGTH.size + len(END)
                file.seek(max(self._begin, size - tail))
                end = file.read()
                if len(end) != tail or end[_LENGTH.size :] != END:
                    raise self._torn("it does not end as it should")
                length = _LENGTH.unpack(end[: _LENGTH.size])[0]
                self._stop = size - tail - length
                if self._stop <= self._begin:
                    raise self._torn("it is too short for what it says")
                file.seek(self._stop)
                self.summary = file.read(length)
                """In the clear: as the file says, and true when `chunks` were read to the end."""
        except OSError as error:
            raise UsageError(f"Can't read {path}: {error.strerror or error}.") from None
        try:
            self.head = msgspec.json.decode(self._head, type=Head)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise self._torn("its head can't be read") from None

    def chunks(self, opener: Opener) -> Iterator[bytes]:
        """What was written, piece by piece. Raises UsageError for another key, CaptureError for altered bytes."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        if opener.recipient.key_id != self.head.recipient:
            raise UsageError(
                f"{self._path} is encrypted for key {self.head.recipient}, and the one given is "
                f"{opener.recipient.key_id}: give the private key that belongs to the policy's."
            )
        cipher = ChaCha20Poly1305(self._key(opener))
        step = CHUNK_BYTES + _TAG_BYTES
        with self._path.open("rb") as file:
            file.seek(self._begin)
            for number, start in enumerate(range(self._begin, self._stop, step)):
                last = start + step >= self._stop
                sealed = file.read(min(step, self._stop - start))
                try:
                    yield cipher.decrypt(_nonce(number, last=last), sealed, self.summary if last else b"")
                except InvalidTag:
                    raise self._altered() from None

    def _key(self, opener: Opener) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

        try:
            ephemeral = Recipient(X25519PublicKey.from_public_bytes(base64.b64decode(self.head.ephemeral)))
            shared = opener.shared(ephemeral.key)
        except ValueError:
            raise self._altered() from None
        return _file_key(shared, ephemeral, opener.recipient, self._head)

    def _part(self, file: BinaryIO, prefix: bytes) -> bytes:
        length = _LENGTH.unpack(prefix)[0] if len(prefix) == _LENGTH.size else _MOST_HEAD_BYTES
        content = file.read(length) if length < _MOST_HEAD_BYTES else b""
        if not content or len(content) != length:
            raise self._torn("its head is cut off")
        return content

    def _torn(self, why: str) -> CaptureError:
        return CaptureError(f"{self._path} is a torn quarantine ({why}): take it from a copy, or scrub again.")

    def _altered(self) -> CaptureError:
        return CaptureError(f"{self._path} was altered: it does not open with its own key. Scrub again.")


def _file_key(shared: bytes, ephemeral: Recipient, recipient: Recipient, head: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    info = MAGIC + hashlib.sha256(head).digest()
    return HKDF(SHA256(), 32, salt=ephemeral.raw + recipient.raw, info=info).derive(shared)


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
