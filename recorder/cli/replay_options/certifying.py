"""What `blackbox replay` measures, certifies and must live up to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_CERTIFICATE = "Certificate"

CertificateFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Where to keep the timing certificate. Default: CAPTURE.replay-TIME.json in this directory.",
        rich_help_panel=_CERTIFICATE,
        show_default=False,
    ),
]
Probing = Annotated[
    bool,
    typer.Option(
        "--probe",
        help="Read the target meanwhile, in a process of its own, and tell when records are appended and arrive.",
        rich_help_panel=_CERTIFICATE,
    ),
]
Proving = Annotated[
    bool,
    typer.Option(
        "--prove",
        help="Read the target's log back in the end and compare: every record there once, equal, in order by key. "
        "Exit with 3 if not.",
        rich_help_panel=_CERTIFICATE,
    ),
]
NoCalibration = Annotated[
    bool,
    typer.Option(
        "--no-calibration",
        help="Don't measure first what machine and broker can do.",
        rich_help_panel=_CERTIFICATE,
    ),
]
CalibrateTopic = Annotated[
    str | None,
    typer.Option(
        "--calibrate-topic",
        metavar="NAME",
        help="Measure confirmations by producing small records to this topic (not one of the replay's), "
        "instead of by metadata requests.",
        rich_help_panel=_CERTIFICATE,
        show_default=False,
    ),
]
Objectives = Annotated[
    str | None,
    typer.Option(
        "--slo",
        metavar="NAME=LIMIT,…",
        help="Exit with 5 if missed: p50, p90, p99, p99.9, max (dispatch lateness; ack_p99, gap_p99, append_p99, "
        "arrival_p99, …), drift, rate_error, inversions, key_inversions, loss, dropped. Example: p99=5ms,loss=0.",
        rich_help_panel=_CERTIFICATE,
        show_default=False,
    ),
]
