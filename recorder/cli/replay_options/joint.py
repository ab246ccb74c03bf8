"""Options of `blackbox replay` that mean something only together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recorder.errors import UsageError

if TYPE_CHECKING:
    from recorder.kafka.properties import Property
    from recorder.payloads.registering import TargetRegistry
    from recorder.replaying.dead_letters import DeadLetters
    from recorder.replaying.options import Condition


def letters_of(wanted: bool, header: str | None, strip: Sequence[str], max_attempts: int) -> DeadLetters | None:
    """What `--dlq` and its companions ask for. Raises UsageError."""
    from recorder.replaying.dead_letters import dead_letters

    if not wanted and (header is not None or strip):
        raise UsageError("--dlq-header and --dlq-strip are about dead letters: give --dlq.")
    return dead_letters(header, strip, max_attempts) if wanted else None


def registry_of(
    url: str | None, properties: Sequence[Property], subjects: Sequence[str], **choices: bool
) -> TargetRegistry | None:
    """What `--target-registry` and its companions ask for. Raises UsageError."""
    from recorder.payloads.registering import TargetRegistry, parse_subjects
    from recorder.payloads.registry import connect_registry

    registry = None if url is None else connect_registry(url, properties, flag="--target-registry")
    if registry is None:
        if subjects or not choices["register"] or choices["allow_unknown"]:
            raise UsageError(
                "--subject-map, --no-register and --allow-unknown-schemas are about --target-registry: give its URL."
            )
        return None
    return TargetRegistry(registry, parse_subjects(subjects), **choices)


def condition_of(
    expression: str | None, keys: Sequence[str], values: Sequence[str], file: Path | None
) -> Condition | None:
    """What `--where` asks for, with payloads read as was said. Raises UsageError."""
    from recorder.payloads.choices import typed_choices
    from recorder.query.looking import LookingCondition

    if expression is None:
        if keys or values or file is not None:
            raise UsageError("--key-format, --value-format and --formats-file say how --where reads: give a condition.")
        return None
    return LookingCondition(expression, typed_choices(keys, values, file))
