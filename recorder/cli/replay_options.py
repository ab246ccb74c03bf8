"""The options of `blackbox replay`, in the groups that its help shows."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

_SELECTION = "What to replay"
_TIME = "Time"
_PACE = "Pace"
_TARGET = "Target"
_LETTERS = "Dead letters"
_CERTIFICATE = "Certificate"


class TimestampsChoice(StrEnum):
    """The choices of `--timestamps`."""

    ORIGINAL = "original"
    SHIFT = "shift"
    NOW = "now"


class TimeBasisChoice(StrEnum):
    """The choices of `--time-basis`."""

    CREATE = "create"
    APPEND = "append"
    OFFSET = "offset"


class IntraMsChoice(StrEnum):
    """The choices of `--intra-ms`."""

    BURST = "burst"
    SPREAD = "spread"


class LateChoice(StrEnum):
    """The choices of `--late`."""

    CATCHUP = "catchup"
    SLOW = "slow"
    DROP = "drop"
    FAIL = "fail"


Captures = Annotated[
    list[str],
    typer.Argument(
        metavar="CAPTURE…",
        help="A capture's directory or URI; several are played on one timeline.",
        show_default=False,
    ),
]
Where = Annotated[
    str | None,
    typer.Option(
        "--where",
        metavar="SQL",
        help="Only records for which this holds, such as value_json->>'$.state' = 'failed'.",
        rich_help_panel=_SELECTION,
        show_default=False,
    ),
]
Sample = Annotated[
    str | None,
    typer.Option(
        "--sample",
        metavar="PERCENT",
        help="Only this share of all keys, each key whole: 25%.",
        rich_help_panel=_SELECTION,
        show_default=False,
    ),
]
StartOffset = Annotated[
    list[str] | None,
    typer.Option(
        "--start-offset",
        metavar="TOPIC/PARTITION:OFFSET",
        help="Begin this partition there; may repeat.",
        rich_help_panel=_SELECTION,
        show_default=False,
    ),
]
Start = Annotated[
    str | None,
    typer.Option(
        "--start",
        metavar="TIME",
        help="Where on the timeline to begin: a time, or +30s from its first record.",
        rich_help_panel=_TIME,
        show_default=False,
    ),
]
End = Annotated[
    str | None,
    typer.Option(
        "--end", metavar="TIME", help="And where to end (exclusive).", rich_help_panel=_TIME, show_default=False
    ),
]
Duration = Annotated[
    str | None,
    typer.Option(
        "--duration",
        metavar="DURATION",
        help="Or how much recorded time to play.",
        rich_help_panel=_TIME,
        show_default=False,
    ),
]
TimeBasis = Annotated[
    TimeBasisChoice,
    typer.Option(
        help="What places a record: create, its timestamp; append, its timestamp if the broker gave it; offset, the "
        "order in its partition alone.",
        rich_help_panel=_TIME,
    ),
]
IntraMs = Annotated[
    IntraMsChoice,
    typer.Option(help="Send records of one millisecond at once, or spread over it.", rich_help_panel=_TIME),
]
MaxGap = Annotated[
    str | None,
    typer.Option(
        metavar="DURATION",
        help="Shorten idle stretches to this much recorded time (then --rate applies).",
        rich_help_panel=_TIME,
        show_default=False,
    ),
]
Loop = Annotated[
    int, typer.Option("--loop", metavar="N", help="Play N times; 0 is for ever.", rich_help_panel=_TIME, min=0)
]
LoopDelay = Annotated[
    str | None,
    typer.Option(
        "--loop-delay",
        metavar="DURATION",
        help="Real time between the end of one pass and the next.",
        rich_help_panel=_TIME,
        show_default=False,
    ),
]
Rate = Annotated[float, typer.Option("-r", "--rate", metavar="FACTOR", help="2: twice as fast.", rich_help_panel=_PACE)]
TopSpeed = Annotated[bool, typer.Option("--topspeed", help="As fast as the target takes them.", rich_help_panel=_PACE)]
PerSecond = Annotated[
    float | None,
    typer.Option(
        "--pps",
        metavar="N",
        help="At most so many records a second in all, also against the plan.",
        rich_help_panel=_PACE,
        show_default=False,
    ),
]
Megabits = Annotated[
    float | None,
    typer.Option(
        "--mbps",
        metavar="N",
        help="At most so many megabits of keys, values and headers a second in all.",
        rich_help_panel=_PACE,
        show_default=False,
    ),
]
Stepwise = Annotated[
    bool,
    typer.Option(
        "--step", help="Begin paused: records go by command (key n, blackbox ctl step).", rich_help_panel=_PACE
    ),
]
Late = Annotated[
    LateChoice,
    typer.Option(
        help="When records are late. catchup: send them at once, in order; slow: let time slow for all topics; drop: "
        "leave out those beyond --late-bound, and name them; fail: end with exit code 5.",
        rich_help_panel=_PACE,
    ),
]
LateBound = Annotated[
    str,
    typer.Option(
        "--late-bound",
        metavar="DURATION",
        help="How late a record may be, unless --late catchup.",
        rich_help_panel=_PACE,
    ),
]
ReadAhead = Annotated[
    str,
    typer.Option("--read-ahead", metavar="SIZE", help="How much to read before it is due.", rich_help_panel=_PACE),
]
Remap = Annotated[
    list[str] | None,
    typer.Option(
        "-m",
        "--remap",
        metavar="A:=B",
        help="Send topic A's records to topic B; CAPTURE/A:=B for one of several captures; may repeat.",
        rich_help_panel=_TARGET,
        show_default=False,
    ),
]
Timestamps = Annotated[
    TimestampsChoice,
    typer.Option(
        help="original: as recorded; shift: all moved by one span, so that the first is the start; "
        "now: the time of sending.",
        rich_help_panel=_TARGET,
    ),
]
PartitionRule = Annotated[
    str,
    typer.Option(
        "--partitions",
        metavar="RULE",
        help="keep: the recorded partition; hash: where Java's producer puts the key (without a key: recorded "
        "partition modulo their number); map:FILE: lines 'topic/partition -> partition', others keep theirs; "
        "auto: keep where there are as many partitions as were recorded, hash elsewhere.",
        rich_help_panel=_TARGET,
    ),
]
Transforming = Annotated[
    str | None,
    typer.Option(
        "--transform",
        metavar="MODULE:FUNCTION",
        help="A Python function that gets each record (recorder.Record) and returns what to send: a record, None or "
        "several. What it changes is counted.",
        rich_help_panel=_TARGET,
        show_default=False,
    ),
]
Piping = Annotated[
    str | None,
    typer.Option(
        "--middleware",
        metavar="CMD",
        help="A program that gets a JSON line a record, as 'blackbox cat --raw --format ndjson' writes them, and "
        "answers each with one: the record, null or a list. What it changes is counted.",
        rich_help_panel=_TARGET,
        show_default=False,
    ),
]
Perturbed = Annotated[
    str | None,
    typer.Option(
        "--chaos",
        metavar="WHAT",
        help="Trouble on purpose: seed=7,duplicate=0.1%,drop=0.1%,delay=1%:50ms,reorder-keys=5%. The same seed brings "
        "the same trouble; records of one key keep their order unless reorder-within-keys is among it.",
        rich_help_panel=_TARGET,
        show_default=False,
    ),
]
Transactional = Annotated[
    str | None,
    typer.Option(
        "--transactional",
        metavar="N|DURATION",
        help="Send inside transactions, committed after so many records or so long: 1000, 500ms or 1000,500ms. One "
        "that fails is aborted, and ends the replay.",
        rich_help_panel=_TARGET,
        show_default=False,
    ),
]
Provenance = Annotated[
    bool,
    typer.Option(
        "--provenance",
        help="Tell in a last header of every record, blackbox-replay-id, which replay sent it.",
        rich_help_panel=_TARGET,
    ),
]
DeadLetters = Annotated[
    bool,
    typer.Option(
        "--dlq",
        help="Send records of dead-letter topics to the topics that their headers name (Kafka Connect, Spring, Kafka "
        "Streams, share groups, kpay), without the errors' headers; nothing else.",
        rich_help_panel=_LETTERS,
    ),
]
LetterHeader = Annotated[
    str | None,
    typer.Option(
        "--dlq-header",
        metavar="NAME",
        help="The header that names the topic, where nobody else's convention was followed.",
        rich_help_panel=_LETTERS,
        show_default=False,
    ),
]
LetterStrip = Annotated[
    list[str] | None,
    typer.Option(
        "--dlq-strip",
        metavar="PREFIX",
        help="Take off headers whose names begin so, too; may repeat.",
        rich_help_panel=_LETTERS,
        show_default=False,
    ),
]
MaxAttempts = Annotated[
    int,
    typer.Option(
        "--max-attempts",
        metavar="N",
        help="Leave letters that were sent home so often before (header blackbox-dlq-attempts).",
        rich_help_panel=_LETTERS,
    ),
]
TargetRegistry = Annotated[
    str | None,
    typer.Option(
        "--target-registry",
        metavar="URL",
        help="Translate the schema ids in records to this registry's: schemas of the capture are looked up there, or "
        "registered. Its credentials belong into -F or -X.",
        rich_help_panel=_TARGET,
        show_default=False,
    ),
]
SubjectMap = Annotated[
    list[str] | None,
    typer.Option(
        "--subject-map",
        metavar="A:=B",
        help="What subject A is called in the target registry, where it doesn't just follow -m; may repeat.",
        rich_help_panel=_TARGET,
        show_default=False,
    ),
]
NoRegister = Annotated[
    bool,
    typer.Option("--no-register", help="Only look schemas up, register none.", rich_help_panel=_TARGET),
]
AllowUnknownSchemas = Annotated[
    bool,
    typer.Option(
        "--allow-unknown-schemas",
        help="Send also records that name a schema which the capture does not hold, as they are.",
        rich_help_panel=_TARGET,
    ),
]
CreateTopics = Annotated[
    bool,
    typer.Option("--create-topics", help="Create missing topics as they were recorded.", rich_help_panel=_TARGET),
]
TopicConfig = Annotated[
    list[str] | None,
    typer.Option(
        "--topic-config",
        metavar="TOPIC:NAME=VALUE",
        help="With --create-topics: a setting that differs from the recorded one; *:NAME=VALUE for all; may repeat.",
        rich_help_panel=_TARGET,
        show_default=False,
    ),
]
PartitionsOf = Annotated[
    list[str] | None,
    typer.Option(
        "--partitions-of",
        metavar="TOPIC=N",
        help="With --create-topics: so many partitions instead of the recorded number; may repeat.",
        rich_help_panel=_TARGET,
        show_default=False,
    ),
]
ReplicationFactor = Annotated[
    int | None,
    typer.Option(
        "--replication-factor",
        metavar="N",
        help="With --create-topics: copies of each partition. Default: 3, or as many as there are brokers.",
        rich_help_panel=_TARGET,
        min=1,
        show_default=False,
    ),
]
AllowTarget = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-target",
        metavar="CLUSTER_ID",
        help="Write to no other cluster than this; may repeat, and adds to allow_targets in blackbox.yaml.",
        rich_help_panel=_TARGET,
        show_default=False,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Say what would be done; send and create nothing.", rich_help_panel=_TARGET),
]
AllowSource = Annotated[
    bool,
    typer.Option(
        "--allow-source-cluster", help="Write even into the cluster that was recorded.", rich_help_panel=_TARGET
    ),
]
Aborted = Annotated[
    bool,
    typer.Option(
        "--aborted",
        help="Send also records of aborted transactions, which a read_uncommitted recording holds.",
        rich_help_panel=_TARGET,
    ),
]
AllowRaw = Annotated[
    bool, typer.Option("--allow-raw", help="Send even a capture that was not scrubbed.", rich_help_panel=_TARGET)
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with a replay that was killed or interrupted, or lost its target, where the target's log ends.",
        rich_help_panel=_TARGET,
    ),
]
StateKept = Annotated[
    Path | None,
    typer.Option(
        "--state",
        metavar="FILE",
        help="Where what --resume needs is kept until the replay is done. Default: beside the certificate, as .state.",
        rich_help_panel=_TARGET,
        show_default=False,
    ),
]
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
