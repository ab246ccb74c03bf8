"""The clean stamp: what was proven, and a digest over the manifest that names every file's SHA-256.

Whoever alters, adds or removes a file, or a word of the manifest, breaks the digest. It is no signature:
it shows damage and carelessness, not forgery.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from recorder.capture.manifest import CleanStamp, Manifest, encode

HITS = "hits/"
"""Prefix of the counts that name the detectors which were run."""


def sealed(manifest: Manifest, stamp: CleanStamp) -> Manifest:
    """The manifest with its stamp, digest filled in."""
    stamped = msgspec.structs.replace(manifest, clean=msgspec.structs.replace(stamp, digest=""))
    return msgspec.structs.replace(
        stamped, clean=msgspec.structs.replace(stamp, digest=hashlib.sha256(encode(stamped)).hexdigest())
    )


def is_intact(manifest: Manifest) -> bool:
    """Whether the digest is the one of this very manifest; False for a capture without a stamp."""
    if manifest.clean is None:
        return False
    return sealed(manifest, manifest.clean).clean == manifest.clean


def detectors_run(counts: Mapping[str, int]) -> tuple[str, ...]:
    """The detectors that were run over the finished copy."""
    return tuple(name.removeprefix(HITS) for name in counts if name.startswith(HITS))
