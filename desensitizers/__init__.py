"""Rules that remove people from records, and the proof that they are gone.

Knows Arrow batches and decoded values; nothing of Kafka and nothing of the recorder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from desensitizers.policy import Policy

__all__ = ["Policy"]


def __getattr__(name: str) -> object:
    if name == "Policy":
        from desensitizers.policy import Policy

        return Policy
    raise AttributeError(f"module 'desensitizers' has no attribute '{name}'")
