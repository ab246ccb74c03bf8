"""`blackbox timing`: a replay's certificate, shown again, compared with another, or held against objectives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recorder.cli.options import OutputFormat
from recorder.cli.output import Format, complain, emit, emit_facts, emit_json, say
from recorder.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from recorder.replaying.certificate import Certificate
    from recorder.replaying.figures import Rows
    from recorder.replaying.objectives import Judgement

_SHOWN_RECORDS = 20


def timing(
    certificate: Annotated[
        Path, typer.Argument(metavar="FILE", help="A certificate that 'blackbox replay' kept.", show_default=False)
    ],
    compare: Annotated[
        Path | None,
        typer.Option("--compare", metavar="FILE", help="Show another certificate beside it.", show_default=False),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE", help="Write a page with plots instead: one file, no scripts.", show_default=False
        ),
    ] = None,
    slo: Annotated[
        str | None,
        typer.Option(
            "--slo",
            metavar="NAME=LIMIT,…",
            help="Exit with 5 if missed, as for 'blackbox replay': p99=5ms,drift=10ms,loss=0.",
            show_default=False,
        ),
    ] = None,
    form: OutputFormat = Format.TABLE,
) -> None:
    """Show how exact a replay was: lateness, gaps, rates, drift, order, failures. JSON is the whole certificate.

    Example: blackbox timing incident.replay-20261103T140200Z.json --slo p99=5ms,drift=10ms
    """
    import msgspec

    from recorder.replaying.certificate import read_certificate
    from recorder.replaying.judging import judge
    from recorder.replaying.objectives import parse_objectives

    objectives = None if slo is None else parse_objectives(slo)
    first = read_certificate(certificate)
    second = None if compare is None else read_certificate(compare)
    if objectives is not None:
        first = msgspec.structs.replace(first, objectives=judge(first, objectives))
    if second is not None:
        _tell_apart(first, second)
    if html is not None:
        _write_page(html, first, second)
    elif second is not None:
        _show_both(first, second, form)
    else:
        show_certificate(first, form)
    if objectives is not None and show_misses(first.objectives):
        raise typer.Exit(ExitCode.LATE)


def show_certificate(certificate: Certificate, form: Format) -> None:
    """Write a certificate to stdout: tables for eyes; all of it as JSON; NDJSON and CSV hold the percentiles."""
    from recorder.replaying import summary
    from recorder.replaying.figures import timing_rows

    if form is Format.JSON:
        import msgspec

        emit_json(msgspec.to_builtins(certificate))
        return
    if form is Format.TABLE:
        emit_facts(f"Replay of {certificate.capture}", summary.certificate_facts(certificate))
    names, rows = timing_rows(certificate)
    if rows or form is not Format.TABLE:  # at top speed nothing has a deadline, and nobody told of round trips
        emit(names, rows, form)
    if form is not Format.TABLE:
        return
    proof = certificate.proof
    _name(summary.failure_rows(certificate), certificate.failed, "failures")
    _name(summary.drop_rows(certificate), certificate.course.dropped, "dropped records")
    _name(summary.flaw_rows(certificate), 0 if proof is None else proof.wrong, "flaws")


def _name(table: Rows, count: int, what: str) -> None:
    """The first of some records by name, and how many more there are."""
    columns, rows = table
    if rows:
        emit(columns, rows[:_SHOWN_RECORDS], Format.TABLE)
    if rows and count > _SHOWN_RECORDS:
        say(f"… and {count - _SHOWN_RECORDS:,} more {what}; the certificate's JSON names the first {len(rows):,}.")


def show_misses(judgements: Sequence[Judgement]) -> bool:
    """Say which objectives were missed; was any?"""
    missed = [judgement for judgement in judgements if not judgement.met]
    for judgement in missed:
        complain(judgement.sentence())
    return bool(missed)


def _tell_apart(first: Certificate, second: Certificate) -> None:
    from recorder.replaying.figures import differences

    if found := differences(first, second):
        say(f"warning: these replays differ in more than how exact they were: {'; '.join(found)}")


def _show_both(first: Certificate, second: Certificate, form: Format) -> None:
    from recorder.replaying.figures import comparison_rows

    columns, rows = comparison_rows(first, second)
    emit(columns, rows, form)


def _write_page(path: Path, first: Certificate, second: Certificate | None) -> None:
    from recorder.replaying.page import page

    try:
        path.write_text(page(first, second), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"The page can't be written to {path}: {error.strerror}.") from None
    say(f"Written: {path}")
