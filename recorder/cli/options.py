"""The options that several verbs share, spelled as Kafka's own tools spell them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recorder.cli.output import Format

CapturePath = Annotated[
    str,
    typer.Argument(
        metavar="CAPTURE", help="The capture's directory, or its s3://, gs:// or az:// URI.", show_default=False
    ),
]

Bootstrap = Annotated[
    str | None,
    typer.Option(
        "-b",
        "--bootstrap-server",
        metavar="HOST:PORT,…",
        envvar="KAFKA_BOOTSTRAP_SERVERS",
        help="The Kafka cluster to connect to.",
        show_default=False,
        rich_help_panel="Connection",
    ),
]
Properties = Annotated[
    list[str] | None,
    typer.Option(
        "-X",
        metavar="KEY=VALUE",
        help="A client setting of librdkafka; may repeat.",
        show_default=False,
        rich_help_panel="Connection",
    ),
]
CommandConfig = Annotated[
    Path | None,
    typer.Option(
        "-F",
        "--command-config",
        metavar="FILE",
        help="A Java-style client.properties file.",
        show_default=False,
        rich_help_panel="Connection",
    ),
]
SchemaRegistry = Annotated[
    str | None,
    typer.Option(
        "--schema-registry",
        metavar="URL",
        envvar="SCHEMA_REGISTRY_URL",
        help="The schema registry whose schemas records name; its credentials belong into -F or -X.",
        show_default=False,
        rich_help_panel="Connection",
    ),
]
Topics = Annotated[
    list[str] | None,
    typer.Option("-t", "--topic", metavar="NAME", help="A topic by its name; may repeat.", show_default=False),
]
Patterns = Annotated[
    list[str] | None,
    typer.Option(
        "-e", "--regex", metavar="REGEX", help="Topics whose whole name matches; may repeat.", show_default=False
    ),
]
Excludes = Annotated[
    list[str] | None,
    typer.Option("-x", "--exclude", metavar="REGEX", help="But not those that match; may repeat.", show_default=False),
]
Partitions = Annotated[
    list[int] | None,
    typer.Option("-p", "--partition", metavar="N", help="Only this partition; may repeat.", show_default=False),
]
Keys = Annotated[
    list[str] | None,
    typer.Option(
        "-k", "--key", metavar="KEY", help="Only records with this key (text); may repeat.", show_default=False
    ),
]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="TIME", help="Start of the window (inclusive).", show_default=False),
]
To = Annotated[
    str | None,
    typer.Option("--to", metavar="TIME", help="End of the window (exclusive).", show_default=False),
]
Zone = Annotated[
    str | None,
    typer.Option(
        "--tz", metavar="ZONE", help="Time zone for times without one, such as Europe/Berlin.", show_default=False
    ),
]
KeyFormats = Annotated[
    list[str] | None,
    typer.Option(
        "--key-format",
        metavar="TOPIC=FORMAT[:FILE]",
        help="What a topic's keys are, where that is not found out; may repeat.",
        show_default=False,
        rich_help_panel="Payloads",
    ),
]
ValueFormats = Annotated[
    list[str] | None,
    typer.Option(
        "--value-format",
        metavar="TOPIC=FORMAT[:FILE]",
        help="What its values are: json, avro:FILE.avsc, protobuf:FILE.proto#Message, text, long, hex, …",
        show_default=False,
        rich_help_panel="Payloads",
    ),
]
FormatsFile = Annotated[
    Path | None,
    typer.Option(
        "--formats-file",
        metavar="FILE",
        help="The same in a file (YAML or TOML): topics: {payments: {key: text, value: json}}.",
        show_default=False,
        rich_help_panel="Payloads",
    ),
]
OutputFormat = Annotated[Format, typer.Option("--format", help="How to write the result.")]
Where = Annotated[
    str | None,
    typer.Option(
        "--where", metavar="SQL", help="Only records for which this holds, as in 'blackbox sql'.", show_default=False
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "-j", "--jobs", min=1, help="Worker processes; by default one for every two processors.", show_default=False
    ),
]
SigningKey = Annotated[
    Path | None,
    typer.Option(
        "--signing-key",
        metavar="FILE",
        help="Sign what stays clean with the key that signed the whole; or set BLACKBOX_SIGNING_KEY.",
        show_default=False,
    ),
]
