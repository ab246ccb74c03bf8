"""Who vouches for an export: the SHA-256 of its files, signed with the key that signed the clean capture they show.

What an export says of itself anybody can write. The signature stands in a file beside it: `signed.json` in a directory,
`NAME.signed.json` for a single file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from recorder.capture.durable import write_atomically
from recorder.scrubbing.signing import Signer, Verifier

SEAL_NAME = "signed.json"
_CONTEXT = b"kafka-blackbox export 1\n"
"""Stands before what is signed, so that a report's signature never fits here."""


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """What is signed: files' SHA-256 by name, and the capture that they show."""

    capture_id: str
    signing_key_id: str
    files: dict[str, str]


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """The file beside an export; `signature` is Ed25519, base64."""

    export: Export
    signature: str


def seal_export(capture_id: str, files: Mapping[str, Path], directory: Path, signer: Signer) -> Path:
    """Sign `files` (by the names they will have) into a new file of `directory`, whose path this is. Raises OSError.

    Only for files made from a capture that `vouching.check_parents` held to this very key.
    """
    export = Export(
        capture_id=capture_id,
        signing_key_id=signer.key_id,
        files={name: _sha256(path) for name, path in sorted(files.items())},
    )
    path = directory / SEAL_NAME
    seal = Seal(export=export, signature=signer.sign(_message(export)))
    write_atomically(path, msgspec.json.format(msgspec.json.encode(seal), indent=1) + b"\n")
    return path


def not_vouched(file: Path, verifier: Verifier | None) -> str:
    """Why nobody vouches for these very bytes; empty when the private counterpart of `verifier` signed them."""
    digest = _sha256(file)
    why = "nobody signed that: export it with --signing-key, and keep the signed.json beside it"
    for path in (file.with_name(f"{file.name}.{SEAL_NAME}"), file.with_name(SEAL_NAME)):
        try:
            seal = msgspec.json.decode(path.read_bytes(), type=Seal)
        except FileNotFoundError:
            continue
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            why = f"{path.name} can't be read"
            continue
        why = _misfit(seal, digest, path.name, verifier)
        if not why:
            return ""
    return why


def _misfit(seal: Seal, digest: str, name: str, verifier: Verifier | None) -> str:
    if digest not in seal.export.files.values():
        return f"{name} names other files: it was altered after that was signed"
    if verifier is None:
        return f"only --public-key can tell whether {name} is signed by whom you trust"
    if seal.export.signing_key_id != verifier.key_id:
        return f"{name} was signed by another key ({seal.export.signing_key_id}) than the one given ({verifier.key_id})"
    if not verifier.signed(_message(seal.export), seal.signature):
        return f"the signature in {name} does not fit: it was edited, or forged"
    return ""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _message(export: Export) -> bytes:
    return _CONTEXT + msgspec.json.encode(export, order="deterministic")
