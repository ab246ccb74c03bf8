"""What preflight finds, and how it is said."""

from __future__ import annotations

from typing import Literal

import msgspec


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that preflight found. `refusal`: possible, but only for somebody who asks for it by its flag."""

    severity: Literal["error", "warning"]
    topic: str | None
    what: str
    fix: str
    refusal: bool = False

    def sentence(self) -> str:
        where = f"{self.topic}: " if self.topic else ""
        return f"{where}{self.what}. {self.fix}"


def error(topic: str | None, what: str, fix: str) -> Finding:
    return Finding(severity="error", topic=topic, what=what, fix=fix)


def warning(topic: str | None, what: str, fix: str) -> Finding:
    return Finding(severity="warning", topic=topic, what=what, fix=fix)


def count_of(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
