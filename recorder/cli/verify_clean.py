"""`blackbox verify-clean`: may this copy leave production?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recorder.cli.options import CapturePath, OutputFormat
from recorder.cli.output import Format, complain, emit, progress, say
from recorder.errors import ExitCode, UsageError


def verify_clean(
    capture: CapturePath,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="PARENT",
            help="The capture it was made from: search its originals too.",
            show_default=False,
        ),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            "-p", "--policy", metavar="FILE", help="The policy it was made by; with --against.", show_default=False
        ),
    ] = None,
    public_key: Annotated[
        Path | None,
        typer.Option(
            "--public-key",
            metavar="FILE",
            help="Whose signature the report must carry: the public key of who made the copy.",
            show_default=False,
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "-j", "--jobs", min=1, help="Worker processes; by default one for every two processors.", show_default=False
        ),
    ] = None,
    form: OutputFormat = Format.TABLE,
) -> None:
    """Check a clean copy: stamped, whole, unaltered, and nothing in it that looks real. Exit 1 when it isn't.

    Needs neither the secret nor the original; with both (--against, -p) every original is searched again. With
    --public-key the report must be signed by that key: then nothing can have been added, removed or altered since.

    Example: blackbox verify-clean clean/ --format json
    """
    from recorder.capture.reader import open_capture, total_bytes
    from recorder.capture.verify import failed
    from recorder.scrubbing import verify_clean as checking
    from recorder.scrubbing.policy import load_policy
    from recorder.scrubbing.signing import load_verifier
    from recorder.scrubbing.workers import workers

    verifier = load_verifier(public_key) if public_key else None
    if (against is None) != (policy is None):
        raise UsageError("--against PARENT and -p POLICY belong together: give both, or neither.")
    rules = load_policy(policy) if policy else None
    parent = open_capture(against) if against else None
    size = total_bytes(capture)
    with workers(size, jobs) as executor, progress("verify-clean", 2 * size, "bytes") as bar:
        checks = checking.verify_clean(
            capture, parent=parent, policy=rules, executor=executor, progress=bar.advance, verifier=verifier
        )
    shown = [
        check for check in checks if form is not Format.TABLE or check.status != "PASSED" or check.name != "ledger"
    ]
    emit(("check", "status", "where", "detail"), ([c.name, c.status, c.where, c.detail] for c in shown), form)
    if failed(checks):
        for check in checks:
            if check.status == "FAILED" and check.name in ("report", "signature"):
                complain(f"{check.where}: {check.detail}.")
        say(f"Not clean: {sum(check.status == 'FAILED' for check in checks)} checks failed.")
        raise typer.Exit(ExitCode.FAILED)
    say("The capture is clean.")
