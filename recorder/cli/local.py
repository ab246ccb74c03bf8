"""`blackbox local`: a real Kafka on this machine to play with; it survives the shell until `down`."""

from __future__ import annotations

from typing import Annotated

import typer

from recorder.cli.options import OutputFormat
from recorder.cli.output import Format, emit, emit_text, say
from recorder.errors import UsageError

app = typer.Typer(help="Run a real Apache Kafka on this machine to play with.", no_args_is_help=True)

Name = Annotated[str, typer.Option("--name", metavar="NAME", help="Which local cluster; there may be several.")]


@app.command()
def up(
    name: Name = "default",
    brokers: Annotated[int, typer.Option("--brokers", metavar="1|3", help="How many brokers.")] = 1,
) -> None:
    """Start a cluster that goes on after this command, and print how to reach it.

    Example: blackbox local up --brokers 3 --name staging
    """
    from recorder.kafka import local_detached

    if brokers not in (1, 3):
        raise UsageError(f"A local cluster has 1 or 3 brokers, not {brokers}.")
    cluster, started = local_detached.up(name, brokers=brokers)
    emit_text(cluster.bootstrap)
    named = "" if name == "default" else f" --name {name}"
    say(
        f"The local cluster {name} (id {cluster.cluster_id}) {'is up' if started else 'was up already'}. Next:\n"
        f"  export KAFKA_BOOTSTRAP_SERVERS={cluster.bootstrap}\n"
        "  blackbox record -e '.*' --from -5m -o capture/\n"
        f"  blackbox local down{named}"
    )


@app.command()
def status(form: OutputFormat = Format.TABLE) -> None:
    """List the local clusters and whether they run.

    Example: blackbox local status --format json
    """
    from recorder.kafka import local_detached
    from recorder.window import format_time

    rows = []
    for cluster in local_detached.clusters():
        alive, total = len(cluster.alive()), len(cluster.pids)
        state = "up" if alive == total else "down" if alive == 0 else "degraded"
        rows.append(
            (cluster.name, state, alive, total, cluster.bootstrap, cluster.cluster_id, format_time(cluster.started_ms))
        )
    emit(("name", "state", "alive", "brokers", "bootstrap", "cluster_id", "started"), rows, form)


@app.command()
def down(
    name: Name = "default",
    keep_data: Annotated[bool, typer.Option("--keep-data", help="Keep topics and records for the next up.")] = False,
) -> None:
    """Stop a cluster and remove all it held.

    Example: blackbox local down --name staging
    """
    from recorder.kafka import local_detached

    local_detached.down(name, keep_data=keep_data)
    kept = "what it held is kept" if keep_data else "what it held is gone"
    say(f"The local cluster {name} is down; {kept}.")
