"""Capture to Kafka: the same records, order and rhythm, and a certificate that says how exactly."""

from recorder.replaying.certificate import Certificate
from recorder.replaying.options import Options
from recorder.replaying.plan import Plan, prepare
from recorder.replaying.session import Progress, replay, run

__all__ = ["Certificate", "Options", "Plan", "Progress", "prepare", "replay", "run"]
