"""What stops a scrub: the sentences a person reads, never with an original value in them."""

from __future__ import annotations

from recorder.errors import BlackboxError


class ScrubError(BlackboxError):
    """No clean copy was made; nothing was left behind."""
