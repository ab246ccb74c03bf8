"""Cleaning a watcher's captures as its file says: by which policy, signed by whom, and where withheld records go.

Policy and keys are read again for each capture, so that a mistake that is corrected does not need a restart.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from desensitizers.policy import Policy
from recorder.capture.reader import Capture
from recorder.capture.writer import reporting_write_errors
from recorder.errors import UsageError
from recorder.scrubbing.errors import NoQuarantineError, ScrubError
from recorder.scrubbing.policy import load_policy
from recorder.scrubbing.quarantine.keys import load_recipient
from recorder.scrubbing.quarantine.writing import SUFFIX, Destination
from recorder.scrubbing.scrub import Scrubbed, scrub
from recorder.scrubbing.signing import Signer, load_signer
from recorder.scrubbing.workers import workers
from recorder.watching.settings import Scrubbing

_QUARANTINE = (
    "quarantine: DIRECTORY to the watcher's scrub:, with quarantine_key: KEY.pub there or quarantine: {key: KEY.pub} "
    "in the policy ('blackbox keys new --quarantine' makes the pair), and start it again"
)


@dataclass(frozen=True, slots=True)
class Cleaning:
    """Everything that a scrub needs beside the records."""

    policy: Policy
    signer: Signer | None
    quarantine: Destination | None
    """A directory."""

    def scrub(self, raw: Capture, out: Path, name: str, progress: Callable[[str, int], None]) -> Scrubbed:
        """A clean copy of `raw` at `out`; what is withheld goes into a new file of the quarantine called `name`.

        Raises BlackboxError, and whatever `progress` does; then nothing of it is left.
        """
        to = None
        if self.quarantine is not None:
            directory = self.quarantine.path
            for torn in directory.glob(f".{name}*{SUFFIX}.writing-*"):  # of a watcher that was killed
                torn.unlink(missing_ok=True)
            to = Destination(_free(directory, name), self.quarantine.recipient)
        size = sum(file.bytes for _, partition in raw.manifest.topic_partitions() for file in partition.files)
        with workers(size, apart=bool(self.policy.spec.foreign)) as executor:
            try:
                return scrub(
                    raw, self.policy, out, executor=executor, progress=progress, signer=self.signer, quarantine=to
                )
            except NoQuarantineError as error:
                raise ScrubError(f"{error.found}\nAdd {_QUARANTINE}.") from None


def load_cleaning(asked: Scrubbing) -> Cleaning:
    """Read policy and keys. Raises UsageError."""
    policy = load_policy(asked.policy)
    quarantine = None
    if asked.quarantine is not None:
        if asked.quarantine_key is None and not policy.spec.quarantine_key:
            raise UsageError(
                "A quarantine needs the public key that it is encrypted for: add quarantine_key: KEY.pub to scrub:, or "
                "quarantine: {key: KEY.pub} to the policy; 'blackbox keys new --quarantine' makes the pair."
            )
        recipient = load_recipient(asked.quarantine_key or Path(policy.spec.quarantine_key))
        quarantine = Destination(asked.quarantine, recipient)
    return Cleaning(policy, load_signer(asked.signing_key), quarantine)


def look_at_cleaning(asked: Scrubbing, tell: Callable[[str], None]) -> None:
    """Before the first trigger: policy and keys can be read, the quarantine written; say what a person may miss.

    Raises UsageError or CaptureError.
    """
    found = load_cleaning(asked)
    if asked.quarantine is not None:
        with reporting_write_errors(asked.quarantine):
            asked.quarantine.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(asked.quarantine, os.W_OK | os.X_OK):
            raise UsageError(f"{asked.quarantine}: nothing can be written to this quarantine.")
    elif any(topic.withholds for topic in found.policy.spec.topics):
        tell(f"warning: the policy may send records to quarantine, and there is none: add {_QUARANTINE}.")
    if found.signer is None:
        tell(
            "warning: reports are NOT SIGNED: nobody can tell later who made a copy. Make keys with "
            "'blackbox keys new' and add signing_key: FILE to scrub:."
        )
    else:
        tell(f"Reports are signed by key {found.signer.key_id}.")


def _free(directory: Path, name: str) -> Path:
    """A name that no file has: what a killed watcher left is never overwritten."""
    number, path = 1, directory / f"{name}{SUFFIX}"
    while os.path.lexists(path):
        number += 1
        path = directory / f"{name}-{number}{SUFFIX}"
    return path
