"""`blackbox cut`: a part of a capture as a capture of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from recorder.cli.options import (
    CapturePath,
    Excludes,
    FormatsFile,
    From,
    Jobs,
    KeyFormats,
    Keys,
    OutputFormat,
    Partitions,
    Patterns,
    SigningKey,
    To,
    Topics,
    ValueFormats,
    Where,
    Zone,
)
from recorder.cli.output import Format, complain, emit, emit_object, progress, say
from recorder.errors import UsageError
from recorder.wording import counted

_SHOWN_TYPES = 50


def cut(
    capture: CapturePath,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Where the part goes; must not exist.")],
    topic: Topics = None,
    regex: Patterns = None,
    exclude: Excludes = None,
    partition: Partitions = None,
    key: Keys = None,
    key_hex: Annotated[
        list[str] | None,
        typer.Option("--key-hex", metavar="HEX", help="The same for keys that are no text.", show_default=False),
    ] = None,
    from_: From = None,
    to: To = None,
    tz: Zone = None,
    where: Where = None,
    sample: Annotated[
        str | None,
        typer.Option(
            "--sample", metavar="PERCENT", help="Only this share of all keys, each key whole.", show_default=False
        ),
    ] = None,
    rare: Annotated[
        int, typer.Option("--rare", metavar="N", min=0, help="But N records of every event type, with their keys.")
    ] = 10,
    type_field: Annotated[
        str,
        typer.Option("--type-field", metavar="NAME", help="What holds the type: a header, ce_ or not, or a field."),
    ] = "type",
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Another number, another sample.")] = 0,
    key_format: KeyFormats = None,
    value_format: ValueFormats = None,
    formats_file: FormatsFile = None,
    signing_key: SigningKey = None,
    jobs: Jobs = None,
    form: OutputFormat = Format.TABLE,
) -> None:
    """Copy a part of a capture: by time, topic, partition, key, condition, or a sample of its keys. Needs no Kafka.

    What is left out is booked as filtered; what was missing before stays named. Part of a clean capture is clean.

    Example: blackbox cut incident/ -o failed/ --from -5m --where "value_json->>'$.status' = 'failed'"

    Example: blackbox cut incident/ -o tenth/ --sample 10%
    """
    from recorder.capture.reader import open_capture, total_bytes
    from recorder.capture.selection import typed_selection
    from recorder.editing import cut as cutting
    from recorder.editing.cut_partition import Wanted
    from recorder.editing.sample import Sample, parse_fraction
    from recorder.payloads.choices import typed_choices
    from recorder.scrubbing.signing import load_signer
    from recorder.scrubbing.workers import workers

    opened = open_capture(capture)
    selection = typed_selection(
        opened.manifest,
        names=topic or (),
        patterns=regex or (),
        excludes=exclude or (),
        partitions=partition or (),
        keys=[*(key or ()), *map(_bytes, key_hex or ())],
        from_text=from_,
        to_text=to,
        tz=tz,
    )
    share = None if sample is None else Sample(parse_fraction(sample), seed, rare, type_field)
    wanted = Wanted(selection, where, share, typed_choices(key_format or (), value_format or (), formats_file))
    size = total_bytes(capture)
    signer = load_signer(signing_key)
    with workers(size, jobs) as executor, progress("cut", size * cutting.passes(wanted), "bytes") as bar:
        done = cutting.cut(
            opened,
            out,
            wanted,
            from_text=from_,
            to_text=to,
            command=("blackbox", *sys.argv[1:]),
            executor=executor,
            signer=signer,
            progress=bar.advance,
        )
    losses = [loss.sentence() for loss in done.manifest.losses]
    columns = ("topic", "type", "records", "kept")
    types = [(one.topic, one.type, one.records, one.kept) for one in done.types]
    if form in (Format.JSON, Format.NDJSON):
        facts = {"capture": str(out), "id": done.manifest.capture_id, "records": done.manifest.records}
        named = [dict(zip(columns, row, strict=True)) for row in types]
        emit_object({**facts, "losses": losses, "types": named}, form)
    elif types:
        emit(columns, types if form is Format.CSV else types[:_SHOWN_TYPES], form)
        if form is Format.TABLE and len(types) > _SHOWN_TYPES:
            say(f"… and {len(types) - _SHOWN_TYPES:,} more types.")
    before = opened.manifest.records
    topics = counted(len(done.manifest.topics), "topic")
    say(f"Cut {done.manifest.records:,} of {counted(before, 'record')}, {topics}, into {out}")
    if done.manifest.clean is not None and signer is None:
        say("It is clean by what it was made from, and nobody signed that: --signing-key takes the key of the whole.")
    for loss in losses:
        complain(f"  missing already in {capture}: {loss}")


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise UsageError(f"--key-hex {text} is not hexadecimal: write for example 0a1b2c.") from None
