"""Property tests here are timed by no clock: machines that also run clusters are too uneven for that."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
