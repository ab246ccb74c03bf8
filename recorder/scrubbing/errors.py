"""What stops a scrub: the sentences a person reads, never with an original value in them."""

from __future__ import annotations

from recorder.errors import BlackboxError


class ScrubError(BlackboxError):
    """No clean copy was made; nothing was left behind."""


class NoQuarantineError(ScrubError):
    """A record must be withheld, and nobody said where to. `found` is the message without the flags to add."""

    def __init__(self, found: str) -> None:
        super().__init__(found)
        self.found = found

    def __str__(self) -> str:
        return (
            f"{self.found}\nAdd --quarantine FILE, with --quarantine-key KEY.pub or quarantine: {{key: KEY.pub}} in "
            "the policy; 'blackbox keys new --quarantine' makes the pair."
        )
