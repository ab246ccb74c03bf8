"""`blackbox schemas`: the schemas that a capture's records name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from recorder.cli.options import CapturePath, CommandConfig, OutputFormat, Properties, SchemaRegistry
from recorder.cli.output import Format, complain, emit, emit_text, progress, say
from recorder.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from recorder.capture.reader import Capture
    from recorder.payloads.registry import Registry
    from recorder.payloads.used import Uses


def schemas(
    capture: CapturePath,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Ask the registry for those that are missing, and keep them.")
    ] = False,
    show: Annotated[
        str | None,
        typer.Option("--show", metavar="ID", help="Print one schema's text, by id or GUID.", show_default=False),
    ] = None,
    schema_registry: SchemaRegistry = None,
    properties: Properties = None,
    command_config: CommandConfig = None,
    form: OutputFormat = Format.TABLE,
) -> None:
    """List the schemas that records name: subjects, versions, how often and when, and what changed within the window.

    Exit 3 when some are missing: the registry could not be asked for them.

    Example: blackbox schemas incident/ --fetch --schema-registry http://localhost:8081
    """
    from recorder.capture.reader import open_capture
    from recorder.kafka.connection import gather
    from recorder.payloads import overview
    from recorder.payloads.registry import connect_registry
    from recorder.payloads.snapshot import book_of
    from recorder.payloads.used import uses_of

    opened = open_capture(capture)
    if show is not None:
        schema = book_of(opened).find(int(show) if show.isdigit() else show)
        if schema is None:
            raise UsageError(f"{opened.root} holds no schema {show}: blackbox schemas {opened.root} lists them.")
        emit_text(schema.text)
        return
    registry = connect_registry(schema_registry, gather(properties or (), command_config)) if fetch else None
    if fetch and registry is None:
        raise UsageError("--fetch needs to know whom to ask: give --schema-registry URL.")
    with progress("read", opened.manifest.records) as bar:
        uses = uses_of(opened, progress=bar.advance)
    if registry is not None:
        opened = _fetch(opened, registry, uses)
    book = book_of(opened)
    shown = overview.lines(uses, book)
    emit(overview.COLUMNS, [line.row for line in shown], form)
    if form is Format.TABLE:
        for sentence in overview.changes(shown):
            emit_text(sentence)
        if others := overview.unused(uses, book):
            emit_text("referred to: " + ", ".join(schema.title for schema in others))
    if book.unresolved:
        complain(f"{len(book.unresolved)} schemas are missing: --fetch --schema-registry URL completes them.")
        raise typer.Exit(ExitCode.LOSS)


def _fetch(opened: Capture, registry: Registry, uses: Uses) -> Capture:
    from recorder.payloads.snapshot import book_of, replace_schemas

    before = list(book_of(opened))
    fetched = registry.fetch(uses.keys(), have=before, named_by=uses.topics_of)
    for why in dict.fromkeys(fetched.unresolved.values()):
        complain(why)
    say(f"Fetched {len(fetched.schemas) - len(before)} schemas.")
    return replace_schemas(opened, fetched.schemas, fetched.unresolved)
