"""Captures to Kafka: the same records, order and rhythm, and a certificate that says how exactly.

Names are loaded when they are first used: who commands a replay from outside needs none of what sends.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recorder.replaying.certificate import Certificate as Certificate
    from recorder.replaying.control import Control as Control
    from recorder.replaying.control import Status as Status
    from recorder.replaying.options import Options as Options
    from recorder.replaying.plan import Plan as Plan
    from recorder.replaying.plan import prepare as prepare
    from recorder.replaying.session import replay as replay
    from recorder.replaying.session import run as run

_HOMES = {
    "Certificate": "certificate",
    "Control": "control",
    "Options": "options",
    "Plan": "plan",
    "Status": "control",
    "prepare": "plan",
    "replay": "session",
    "run": "session",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'recorder.replaying' has no attribute {name!r}")
    return getattr(import_module(f"recorder.replaying.{_HOMES[name]}"), name)
