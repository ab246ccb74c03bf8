"""`blackbox rules`: what a policy can name, and where it comes from."""

from __future__ import annotations

from recorder.cli.options import OutputFormat
from recorder.cli.output import Format, emit
from recorder.errors import UsageError


def rules(form: OutputFormat = Format.TABLE) -> None:
    """List the rules and detectors that a policy can name: origin, declared facts, options.

    Packages that are installed beside blackbox bring more of them (entry points blackbox.rules, blackbox.detectors).

    Example: blackbox rules --format json
    """
    from desensitizers.inventory import inventory
    from desensitizers.plugins import PluginError

    try:
        entries = inventory()
    except PluginError as error:
        raise UsageError(str(error)) from None
    if form is Format.TABLE:
        rows = [
            (
                entry.kind,
                entry.name,
                entry.origin,
                entry.version,
                entry.uniqueness,
                ", ".join(entry.types),
                ", ".join(entry.options),
                entry.broken or entry.summary,
            )
            for entry in entries
        ]
        emit(("kind", "name", "origin", "version", "uniqueness", "types", "options", "what"), rows, form)
        return
    columns = (
        "kind", "name", "origin", "version", "deterministic", "uniqueness", "types", "options", "summary", "example",
        "broken",
    )  # fmt: skip
    listed = form in (Format.JSON, Format.NDJSON)
    emit(columns, ([_cell(getattr(entry, name), listed) for name in columns] for entry in entries), form)


def _cell(value: object, listed: bool) -> object:
    if isinstance(value, tuple):
        return list(value) if listed else " ".join(value)
    return value
