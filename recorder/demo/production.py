"""The demo's "production": the example payment system as a process of its own, and when its incident was."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recorder.demo.stage import Meter
from recorder.errors import BlackboxError

RUN_SECONDS = 40.0
_WORD_SECONDS = 90.0  # to start, and to drain at the end
_RUN = (
    "--duration", "40s", "--rate", "50", "--seed", "7", "--incident-after", "12s", "--incident-for", "15s",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Incident:
    """When it went wrong, in epoch milliseconds, and what the system said of itself at the end."""

    from_ms: int
    to_ms: int
    totals: dict[str, Any]


def examples_directory() -> Path:
    """The repository's examples; BlackboxError where only the package is installed."""
    path = Path(__file__).resolve().parents[2] / "examples"
    if not (path / "kpay" / "__main__.py").exists():
        raise BlackboxError(
            "The demo needs the repository's examples/: clone it, then pip install -e '.[local]' and run it there."
        )
    return path


def run_production(bootstrap: str, log: Path, meter: Meter) -> Incident:
    """Run the payment system with its incident to the end; BlackboxError with its last words when it fails."""
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "kpay", "run", "-b", bootstrap, *_RUN],
            cwd=examples_directory(),
            env={**os.environ, "PYTHONPATH": str(examples_directory())},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            happened = _follow(process, meter)
        finally:
            process.terminate()
            process.wait()
    try:
        return Incident(happened["incident-start"]["at_ms"], happened["incident-end"]["at_ms"], happened["stopped"])
    except KeyError as missing:
        words = log.read_text(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise BlackboxError(
            f"The payment system ended without '{missing.args[0]}' (exit {process.returncode}): {words[0]}. "
            f"Its log is {log}."
        ) from None


def _follow(process: subprocess.Popen[str], meter: Meter) -> dict[str, dict[str, Any]]:
    lines: queue.Queue[str | None] = queue.Queue()
    assert process.stdout is not None
    threading.Thread(target=_pump, args=(process.stdout, lines), daemon=True).start()
    happened: dict[str, dict[str, Any]] = {}
    began = time.monotonic()
    notes = {
        "started": "payments flow",
        "incident-start": "release 2.4.0 is out: payments go wrong",
        "incident-end": "rolled back to 2.3.1",
        "drained": "every payment has ended",
    }
    note = "starting"
    while time.monotonic() - began < RUN_SECONDS + _WORD_SECONDS:
        try:
            line = lines.get(timeout=0.2)
        except queue.Empty:
            pass
        else:
            if line is None:
                process.wait()
                break
            event = json.loads(line)
            happened[event["event"]] = event
            note = notes.get(event["event"], note)
        meter.show(completed=min(time.monotonic() - began, RUN_SECONDS), note=note)
    return happened


def _pump(stream: Any, lines: queue.Queue[str | None]) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)
