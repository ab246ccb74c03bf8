"""`blackbox export`: a capture's records as typed files for other tools."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from recorder.cli.interrupt import end_as_by_ctrl_c
from recorder.cli.options import (
    CapturePath,
    Excludes,
    FormatsFile,
    From,
    KeyFormats,
    Keys,
    Partitions,
    Patterns,
    SigningKey,
    To,
    Topics,
    ValueFormats,
    Where,
    Zone,
)
from recorder.cli.output import complain, progress, say
from recorder.errors import ExitCode
from recorder.wording import counted


def export(
    capture: CapturePath,
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--out", metavar="OUT", help="A directory, a file NAME.duckdb, or for one topic NAME.parquet or .csv."
        ),
    ],
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="parquet (default), csv or duckdb.", show_default=False),
    ] = None,
    topic: Topics = None,
    regex: Patterns = None,
    exclude: Excludes = None,
    partition: Partitions = None,
    key: Keys = None,
    from_: From = None,
    to: To = None,
    tz: Zone = None,
    where: Where = None,
    key_format: KeyFormats = None,
    value_format: ValueFormats = None,
    formats_file: FormatsFile = None,
    signing_key: SigningKey = None,
) -> None:
    """Write records for other tools: typed Parquet or CSV, a file for each topic, or a DuckDB database.

    Columns are those of 'blackbox sql'. What can't be decoded stays, in key_bytes and value_bytes (CSV: base64), with
    the reason in key_reason and value_reason; then it exits with 3. An export of a clean capture passes the guard
    when it is signed.

    Example: blackbox export incident/ -o incident.duckdb

    Example: blackbox export incident/ -t payments.dlq --from -5m -o failed.parquet
    """
    from recorder.capture.reader import open_capture
    from recorder.capture.selection import typed_selection
    from recorder.editing.vouching import check_parents
    from recorder.payloads.choices import typed_choices
    from recorder.query import Session
    from recorder.query.export import Wanted, export_capture, form_of
    from recorder.scrubbing.exports import seal_export
    from recorder.scrubbing.signing import load_signer

    end_as_by_ctrl_c()
    opened = open_capture(capture)
    selection = typed_selection(
        opened.manifest,
        names=topic or (),
        patterns=regex or (),
        excludes=exclude or (),
        partitions=partition or (),
        keys=key or (),
        from_text=from_,
        to_text=to,
        tz=tz,
    )
    said = typed_choices(key_format or (), value_format or (), formats_file)
    wanted, kind = Wanted(selection, where), form_of(out, form)
    clean = opened.manifest.clean is not None
    signer = load_signer(signing_key) if clean else None
    if signer is not None:
        check_parents([opened], signer)
    seal = partial(seal_export, opened.manifest.capture_id, signer=signer) if signer else None
    with (
        Session(opened, choices=said) as session,
        progress("export", opened.manifest.records, "records") as bar,
    ):
        done = export_capture(session, out, kind, wanted, progress=bar.advance, seal=seal)
    state = "from a clean capture" if clean else "RAW: it may hold personal data"
    written = f"{counted(sum(done.records.values()), 'record')} of {counted(len(done.records), 'topic')}"
    say(f"{written} written to {out}, {state}.")
    if clean and signer is None:
        say("Nobody signed that, so the guard takes it for raw: --signing-key takes the key that signed the capture.")
    for line in done.sentences():
        complain(f"  not decoded: {line}")
    if done.undecoded:
        raise typer.Exit(ExitCode.LOSS)
