"""`blackbox timing`: a replay's certificate, shown again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recorder.cli.options import OutputFormat
from recorder.cli.output import Format, emit, emit_facts, emit_json, say

if TYPE_CHECKING:
    from recorder.replaying.certificate import Certificate

_SHOWN_FAILURES = 20


def timing(
    certificate: Annotated[
        Path, typer.Argument(metavar="FILE", help="A certificate that 'blackbox replay' kept.", show_default=False)
    ],
    form: OutputFormat = Format.TABLE,
) -> None:
    """Show how exact a replay was: lateness, drift, order, failures. JSON is the whole certificate.

    Example: blackbox timing incident.replay-20261103T140200Z.json
    """
    from recorder.replaying.certificate import read_certificate

    show_certificate(read_certificate(certificate), form)


def show_certificate(certificate: Certificate, form: Format) -> None:
    """Write a certificate to stdout: tables for eyes; all of it as JSON; NDJSON and CSV hold the percentiles."""
    from recorder.replaying import summary

    if form is Format.JSON:
        import msgspec

        emit_json(msgspec.to_builtins(certificate))
        return
    if form is Format.TABLE:
        emit_facts(f"Replay of {certificate.capture}", summary.certificate_facts(certificate))
    emit(*summary.timing_rows(certificate), form)
    if form is Format.TABLE and certificate.failures:
        columns, rows = summary.failure_rows(certificate)
        emit(columns, rows[:_SHOWN_FAILURES], form)
        if certificate.failed > _SHOWN_FAILURES:
            say(f"… and {certificate.failed - _SHOWN_FAILURES:,} more failures.")
