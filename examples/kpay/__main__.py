"""`python -m kpay`: topics, run, control, check."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from confluent_kafka import KafkaException

app = typer.Typer(help="A small payment system on Kafka.", no_args_is_help=True, pretty_exceptions_enable=False)


def _seconds(text: str) -> float:
    units = {"ms": 0.001, "s": 1, "m": 60}
    number = text.rstrip("ms")
    try:
        return float(number) * units[text[len(number) :] or "s"]
    except (ValueError, KeyError):
        raise typer.BadParameter(f"{text!r} is not a duration: say 40s, 500ms or 2m") from None


Bootstrap = Annotated[str, typer.Option("-b", "--bootstrap-server", envvar="KAFKA_BOOTSTRAP_SERVERS")]
Duration = Annotated[str, typer.Option(metavar="DURATION", help="For example 40s, 500ms, 2m.")]


@app.command()
def topics(bootstrap: Bootstrap) -> None:
    """Create the topics that are missing."""
    from kpay.topics import create_topics

    for name in create_topics(bootstrap):
        typer.echo(name)


@app.command()
def run(
    bootstrap: Bootstrap,
    duration: Duration = "40s",
    rate: Annotated[float, typer.Option(min=0.1, help="Payments a second, on average.")] = 50,
    seed: Annotated[int, typer.Option(help="The same seed, the same customers and payments.")] = 7,
    customers: Annotated[int, typer.Option(min=2)] = 200,
    instances: Annotated[int, typer.Option(min=1, help="Account processors.")] = 3,
    incident_after: Annotated[str | None, typer.Option(metavar="DURATION", help="No incident without it.")] = None,
    incident_for: Duration = "15s",
) -> None:
    """Run the whole system; JSON lines on stdout say what happens when."""
    from kpay import system

    plan = system.Plan(
        duration=_seconds(duration),
        rate=rate,
        seed=seed,
        customers=customers,
        instances=instances,
        incident_after=None if incident_after is None else _seconds(incident_after),
        incident_for=_seconds(incident_for),
    )
    try:
        system.run(bootstrap, plan, _tell)
    except system.HaltedError as error:
        _end(str(error))


@app.command()
def control(
    command: str, bootstrap: Bootstrap, reason: str = "by hand", issued_by: str = "oncall@kpay.example"
) -> None:
    """Send a command to the running system: pause, resume or drain."""
    from kpay import control as plane

    if command not in plane.COMMANDS:
        raise typer.BadParameter(f"{command!r} is none of {', '.join(plane.COMMANDS)}")
    plane.send(bootstrap, command, reason=reason, issued_by=issued_by)


@app.command()
def check(bootstrap: Bootstrap) -> None:
    """Prove that no money was made or lost; exits with 1 when some was."""
    from kpay.check import check as findings_of

    findings = findings_of(bootstrap)
    for finding in findings:
        typer.echo(f"{'PASSED' if finding.passed else 'FAILED'}  {finding.name}: {finding.detail}")
    if not all(finding.passed for finding in findings):
        raise typer.Exit(1)


def _tell(happening: dict[str, Any]) -> None:
    print(json.dumps(happening), flush=True)


def _end(sentence: str) -> None:
    typer.echo(f"kpay: {sentence}", err=True)
    sys.exit(1)


if __name__ == "__main__":
    try:
        app(prog_name="python -m kpay")
    except KafkaException as error:
        _end(f"Kafka says {error.args[0].str()}")
