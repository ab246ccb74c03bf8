"""`blackbox policy`: is a policy right, what does it do to a capture, and its JSON Schema for editors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recorder.cli.options import CapturePath, OutputFormat
from recorder.cli.output import Format, emit, emit_json, emit_text, progress, say
from recorder.errors import ExitCode, UsageError
from recorder.wording import counted

if TYPE_CHECKING:
    from recorder.scrubbing.explain import Explained
    from recorder.scrubbing.lock import Shape

app = typer.Typer(name="policy", help="Check a policy, explain it on a capture, or print its JSON Schema.")

_Policy = Annotated[Path, typer.Argument(metavar="POLICY", help="The policy's YAML file.", show_default=False)]


@app.command()
def check(
    policy: _Policy,
    capture: Annotated[
        str | None, typer.Argument(metavar="[CAPTURE]", help="A capture that it must fit.", show_default=False)
    ] = None,
    lock: Annotated[
        Path | None,
        typer.Option(
            "--lock",
            metavar="FILE",
            help="Fail also when the capture holds paths or types that this file of 'policy lock' does not name.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Say whether a policy is right, and whether it answers for every record of a capture. Needs no secret.

    Exit 2 when the policy has a mistake, 1 when the capture holds what it doesn't answer for, 4 when the lock does not
    name it.

    Example: blackbox policy check policy.yaml incident/
    """
    from recorder.scrubbing.explain import load_to_explain

    if capture is None:
        if lock is not None:
            raise UsageError("--lock FILE compares a capture with the lock: name the capture too.")
        loaded = load_to_explain(policy)
        topics, domains = counted(len(loaded.spec.topics), "topic"), counted(len(loaded.spec.domains), "domain")
        say(f"{policy} is right: {topics}, {domains}.")
        return
    found = _explain(policy, capture)
    lines = [row for row in _rows(found) if row[4] == "FAILS"]
    if lines:
        emit(_COLUMNS, lines, Format.TABLE)
        say(f"{policy} does not answer for {found.fails} things in {capture}.")
    else:
        say(f"{policy} answers for all that is in {capture}: {len(found.told)} places.")
    drifted = lock is not None and _drifted(lock, capture)
    if lines or drifted:
        raise typer.Exit(ExitCode.FAILED if lines else ExitCode.DIFFERENT)


@app.command("lock")
def lock_(
    capture: CapturePath,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="FILE", help="Write it there; by default it is printed.", show_default=False
        ),
    ] = None,
) -> None:
    """Write down the paths and types of a capture, never a value: 'policy check --lock' then tells what is new.

    Example: blackbox policy lock incident/ -o policy.lock
    """
    from recorder.scrubbing.lock import written

    text = written(_shape(capture))
    if out is None:
        emit_text(text)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"Can't write {out}: {error.strerror}.") from None
    say(f"Wrote {out}.")


@app.command()
def explain(policy: _Policy, capture: CapturePath, form: OutputFormat = Format.TABLE) -> None:
    """For each path of a capture: which rule it meets, in which line; what would fail, or go to quarantine.

    Shows paths and rules, never a value. Needs no secret.

    Example: blackbox policy explain policy.yaml incident/
    """
    emit(_COLUMNS, _rows(_explain(policy, capture)), form)


@app.command()
def schema() -> None:
    """Print the JSON Schema of policies, by which editors complete and check them.

    Example: blackbox policy schema > policy.schema.json
    """
    from desensitizers.policy_schema import policy_schema

    emit_json(policy_schema())


_COLUMNS = ("topic", "place", "path", "type", "rule", "policy path", "where")


def _drifted(lock: Path, capture: str) -> bool:
    """Whether the capture holds what the lock doesn't name; tells the lines to add to the policy, and to the lock."""
    from recorder.scrubbing.lock import drift, lines_to_add, lock_change, read_lock

    known = read_lock(lock)
    new = drift(known, _shape(capture))
    if not new:
        say(f"{lock} names all that is in {capture}.")
        return False
    emit_text("\n".join(lines_to_add(new, known)))
    emit_text(lock_change(lock, known, new).rstrip("\n"))
    say(f"{capture} holds {len(new)} things that {lock} does not name. Decide on them in the policy, then add them.")
    return True


def _shape(capture: str) -> Shape:
    from recorder.capture.reader import open_capture, total_bytes
    from recorder.scrubbing.lock import shape_of

    with progress("look", total_bytes(capture), "bytes") as bar:
        return shape_of(open_capture(capture), bar.advance)


def _explain(policy: Path, capture: str) -> Explained:
    from recorder.capture.reader import open_capture, total_bytes
    from recorder.scrubbing.explain import explain, load_to_explain

    rules = load_to_explain(policy)
    with progress("explain", total_bytes(capture), "bytes") as bar:
        return explain(open_capture(capture), rules, bar.advance)


def _rows(found: Explained) -> list[tuple[str, ...]]:
    rows = [
        (
            one.topic,
            one.place,
            one.path,
            one.type,
            one.rule or "FAILS",
            one.policy_path if one.rule else "is not named by the policy",
            f"{one.file}:{one.line}" if one.line else "",
        )
        for one in found.told
    ]
    rows += [(one.topic, one.place, one.path, "", "FAILS", one.reason, "") for one in found.problems]
    rows += [
        (one.topic, one.place, one.path, "", "quarantine", f"{one.reason} ({counted(one.count, 'record')})", "")
        for one in found.quarantined
    ]
    rows += [(topic, "", "", "", "FAILS", "no topic of the policy matches it", "") for topic in found.unnamed_topics]
    return sorted(rows)
