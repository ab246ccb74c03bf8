"""`blackbox replay`: captures into a Kafka cluster, in their own rhythm."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from recorder.cli.options import (
    Bootstrap,
    CommandConfig,
    Excludes,
    FormatsFile,
    From,
    KeyFormats,
    Keys,
    OutputFormat,
    Partitions,
    Patterns,
    Properties,
    To,
    Topics,
    ValueFormats,
    Zone,
)
from recorder.cli.output import Format, complain, emit, emit_facts, emit_json, emit_text, progress, say
from recorder.cli.replay_options import certifying, changes, letters, pace, safety, selection, target
from recorder.cli.replay_options.joint import condition_of, letters_of, registry_of
from recorder.cli.timing import show_certificate, show_misses
from recorder.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from recorder.capture.reader import Capture
    from recorder.replaying.certificate import Certificate
    from recorder.replaying.control import Control, Status
    from recorder.replaying.plan import Plan
    from recorder.replaying.state import StateFile


def replay(
    captures: selection.Captures,
    bootstrap_server: Bootstrap = None,
    topic: Topics = None,
    regex: Patterns = None,
    exclude: Excludes = None,
    partition: Partitions = None,
    key: Keys = None,
    from_: From = None,
    to: To = None,
    tz: Zone = None,
    where: selection.Where = None,
    sample: selection.Sample = None,
    start_offset: selection.StartOffset = None,
    prologue: selection.PrologueToo = False,
    start: selection.Start = None,
    end: selection.End = None,
    duration: selection.Duration = None,
    time_basis: selection.TimeBasis = selection.TimeBasisChoice.CREATE,
    intra_ms: selection.IntraMs = selection.IntraMsChoice.BURST,
    max_gap: selection.MaxGap = None,
    loop: selection.Loop = 1,
    loop_delay: selection.LoopDelay = None,
    rate: pace.Rate = 1.0,
    topspeed: pace.TopSpeed = False,
    pps: pace.PerSecond = None,
    mbps: pace.Megabits = None,
    step: pace.Stepwise = False,
    late: pace.Late = pace.LateChoice.CATCHUP,
    late_bound: pace.LateBound = "100ms",
    read_ahead: pace.ReadAhead = "32MB",
    remap: changes.Remap = None,
    timestamps: changes.Timestamps = changes.TimestampsChoice.ORIGINAL,
    partitions: changes.PartitionRule = "auto",
    transform: changes.Transforming = None,
    middleware: changes.Piping = None,
    chaos: changes.Perturbed = None,
    transactional: target.Transactional = None,
    provenance: changes.Provenance = False,
    dlq: letters.DeadLetters = False,
    dlq_header: letters.LetterHeader = None,
    dlq_strip: letters.LetterStrip = None,
    max_attempts: letters.MaxAttempts = 3,
    target_registry: changes.TargetRegistry = None,
    subject_map: changes.SubjectMap = None,
    no_register: changes.NoRegister = False,
    allow_unknown_schemas: changes.AllowUnknownSchemas = False,
    create_topics: target.CreateTopics = False,
    dry_run: safety.DryRun = False,
    topic_config: target.TopicConfig = None,
    partitions_of: target.PartitionsOf = None,
    replication_factor: target.ReplicationFactor = None,
    allow_target: safety.AllowTarget = None,
    allow_source_cluster: safety.AllowSource = False,
    allow_raw: safety.AllowRaw = False,
    resume: target.Resume = False,
    state: target.StateKept = None,
    aborted: safety.Aborted = False,
    certificate: certifying.CertificateFile = None,
    slo: certifying.Objectives = None,
    probe: certifying.Probing = False,
    prove: certifying.Proving = False,
    key_format: KeyFormats = None,
    value_format: ValueFormats = None,
    formats_file: FormatsFile = None,
    no_calibration: certifying.NoCalibration = False,
    calibrate_topic: certifying.CalibrateTopic = None,
    properties: Properties = None,
    command_config: CommandConfig = None,
    form: OutputFormat = Format.TABLE,
) -> None:
    """Publish captures into a cluster with order and relative timing kept, and certify how exact it was.

    Partitions, keys, values and headers stay as recorded (where the target has another number of partitions, keys go
    where Java's producer would put them); every record is confirmed by the target. Target and
    captures are checked before the first record. While it runs: space pauses, + and - change the rate, n sends the next
    record, g goes to a time; or 'blackbox ctl'. Exit 3: some records failed (named); 5: too late, or --slo
    missed; 7: refused.

    Example: blackbox replay incident-clean/ -b ci:9092 --create-topics --rate 5 --max-gap 10s
    """
    import time

    from recorder.capture.promises import check_promises
    from recorder.capture.reader import open_capture
    from recorder.capture.sampling import parse_fraction
    from recorder.capture.selection import typed_selection
    from recorder.kafka.connection import connect, gather
    from recorder.project import project_of
    from recorder.replaying import Options, prepare
    from recorder.replaying import certificate as certificates
    from recorder.replaying.chaos import parse_chaos
    from recorder.replaying.creation import parse_partitions_of, parse_topic_config
    from recorder.replaying.gathering import together
    from recorder.replaying.objectives import parse_objectives
    from recorder.replaying.partition_map import parse_partitions
    from recorder.replaying.resumption import state_path, state_to_resume
    from recorder.replaying.rewriting import load_transform
    from recorder.replaying.state import StateFile
    from recorder.replaying.summary import reading_advice
    from recorder.replaying.typed import parse_point, parse_remap, parse_size, parse_start_offsets, parse_steps
    from recorder.window import parse_duration

    rule, partition_map = parse_partitions(partitions)
    opened = [open_capture(path) for path in captures]
    for one in opened:
        check_promises(one.root, one.manifest)
    chosen = Options(
        selection=typed_selection(
            together(opened),
            names=topic or (),
            patterns=regex or (),
            partitions=partition or (),
            keys=key or (),
            from_text=from_,
            to_text=to,
            tz=tz,
        ),
        excludes=exclude or (),
        remap=parse_remap(remap or ()),
        rate=rate,
        top_speed=topspeed,
        max_gap_ms=None if max_gap is None else parse_duration(max_gap),
        timestamps=timestamps.value,
        time_basis=time_basis.value,
        intra_ms=intra_ms.value,
        start=None if start is None else parse_point(start, tz=tz),
        end=None if end is None else parse_point(end, tz=tz),
        duration_ms=None if duration is None else parse_duration(duration),
        start_offsets=parse_start_offsets(start_offset or ()),
        where=condition_of(where, key_format or (), value_format or (), formats_file),
        sample=None if sample is None else parse_fraction(sample),
        prologue=prologue,
        loop=loop,
        loop_delay_ms=0 if loop_delay is None else parse_duration(loop_delay),
        records_per_second=pps,
        megabits_per_second=mbps,
        step=step,
        late=late.value,
        late_bound_ms=parse_duration(late_bound),
        read_ahead_bytes=parse_size(read_ahead),
        calibrate=not no_calibration,
        calibrate_topic=calibrate_topic,
        probe=probe,
        prove=prove,
        objectives=() if slo is None else parse_objectives(slo),
        partitions=rule,
        partition_map=partition_map,
        transform=None if transform is None else load_transform(transform),
        middleware=middleware,
        chaos=None if chaos is None else parse_chaos(chaos),
        transactional=None if transactional is None else parse_steps(transactional),
        provenance=provenance,
        dead_letters=letters_of(dlq, dlq_header, dlq_strip or (), max_attempts),
        target_registry=registry_of(
            target_registry,
            gather(properties or (), command_config),
            subject_map or (),
            register=not no_register,
            allow_unknown=allow_unknown_schemas,
        ),
        create_topics=create_topics,
        topic_config=parse_topic_config(topic_config or ()),
        partitions_of=parse_partitions_of(partitions_of or ()),
        replication_factor=replication_factor,
        allow_targets=(*project_of(Path()).allow_targets, *(allow_target or ())),
        allow_source_cluster=allow_source_cluster,
        allow_raw=allow_raw,
        aborted=aborted,
    )
    path = certificate or certificates.default_path(opened[0].root, time.time_ns() // 1_000_000)
    if not dry_run:
        for capture in opened:
            certificates.check_writable(path, capture.root)
    connection = connect(bootstrap_server, properties or (), command_config)
    with progress("survey", sum(capture.manifest.records for capture in opened)) as bar:
        plan = prepare(opened, connection, chosen, progress=bar.advance)
    if dry_run:
        _show_plan(plan, form)
        raise typer.Exit(plan.exit_code)
    plan.require_no_errors()
    if not resume:
        _tell_of_unfinished(opened[0], state)
    for finding in plan.findings:
        say(f"{finding.severity}: {finding.sentence()}")
    for new in plan.to_create:
        say(f"creating topic {new.sentence()}")
    if plan.before is not None and not resume:
        say(f"first {plan.before.survey.records:,} records of the state before the window")
    kept = state_to_resume(state, certificate, opened[0].root) if resume else state or state_path(path)
    with StateFile(kept) as file:
        result = _run(plan, tz, file, resume=resume)
        certificates.write_certificate(result, path)
        if not result.resumable:
            file.remove()
    show_certificate(result, form)
    if advice := reading_advice(result):
        say(f"warning: {advice}")
    say(f"The certificate is kept in {path}  ·  blackbox timing {path}")
    if result.resumable:
        say(f"To go on from where it ended, give the same command with --resume --state {kept}")
    _end(result)


def _tell_of_unfinished(capture: Capture, state: Path | None) -> None:
    from recorder.replaying.resumption import unfinished

    for path in unfinished(capture.root):
        if path != state:
            say(f"warning: {path} is of a replay that did not end; with --resume this one would go on with it")


def _run(plan: Plan, tz: str | None, state: StateFile, *, resume: bool) -> Certificate:
    """Play, in hand by keys and over the replay's socket."""
    from recorder.cli.interrupt import stopping
    from recorder.cli.keys import Keys as Keyboard
    from recorder.replaying import Control, run
    from recorder.replaying.resumption import find_place
    from recorder.replaying.session import new_replay_id

    resumption = None
    if resume:
        with progress("compare", after=1) as looking:
            resumption = find_place(
                plan, state.read(), say, lambda done, total: looking.show(completed=done, total=total)
            )
        for finding in resumption.findings:
            say(f"{finding.severity}: {finding.sentence()}")
        say(f"{resumption.earlier.found:,} records are in the target already")
    control, replay_id = Control(), new_replay_id() if resumption is None else resumption.state.replay_id
    with ExitStack() as stack:
        stop = stack.enter_context(stopping())
        bar = stack.enter_context(progress("replay", plan.records, eta=False))  # the plan knows better
        stack.enter_context(_listening(control, replay_id))
        keyboard = stack.enter_context(Keyboard(control, tz))

        def show(now: Status) -> None:
            bar.show(completed=now.earlier + now.acked + now.dropped, note=keyboard.said or _standing(now))

        def prove(done: int, total: int) -> None:
            bar.show(description="prove", completed=done, total=total, note="")

        return run(
            plan,
            progress=show,
            proving=prove,
            stop=stop,
            control=control,
            replay_id=replay_id,
            state=state,
            resumption=resumption,
            tell=lambda words: say(f"warning: {words}"),
        )


@contextmanager
def _listening(control: Control, replay_id: str) -> Iterator[None]:
    """Take commands over a socket, where there can be one; a replay does not fail for the want of it."""
    import os

    from recorder.replaying.remote import commanding, socket_directory, socket_path

    path = socket_path(socket_directory(os.environ), replay_id)
    with ExitStack() as stack:
        try:
            stack.enter_context(commanding(path, control))
        except UsageError as error:
            say(f"'blackbox ctl' can't reach this replay: {error}")
        else:
            say(f"replay {path.stem}  ·  blackbox ctl status")
        yield


def _standing(now: Status) -> str:
    from recorder.replaying.standing import standing

    return standing(now)


def _end(result: Certificate) -> None:
    from recorder.replaying.summary import refused_in_batches

    missed = show_misses(result.objectives)
    unproven = result.proof is not None and not result.proof.holds
    if result.proof is not None and unproven:
        complain(f"Proof {result.proof.sentence()}.")
    if result.ended_by == "interrupt" or (result.ended_by == "stop" and result.course.choices.passes):
        complain("Interrupted: what was sent until then is confirmed or named above.")
        raise typer.Exit(ExitCode.INTERRUPTED)
    if result.ended_by == "late":
        complain(f"Ended: {result.error}. --late catchup would go on.")
        raise typer.Exit(ExitCode.LATE)
    if result.ended_by == "error":
        complain(f"Ended: {result.error}.")
    if result.losses and result.ended_by != "stop":
        complain(f"{result.losses:,} of {result.planned:,} records did not arrive.")
        if refused_in_batches(result):
            say("A broker refuses whole batches: -X batch.num.messages=1 (slow) would lose only the records at fault.")
        raise typer.Exit(ExitCode.LATE if missed else ExitCode.LOSS)
    if missed:
        raise typer.Exit(ExitCode.LATE)
    if left := sum(result.letters_left.values()):
        complain(f"{left:,} dead letters were left: 'blackbox replay --dlq --dry-run' names them by topic and reason.")
    if result.failed or left or unproven:
        raise typer.Exit(ExitCode.LOSS)


def _show_plan(plan: Plan, form: Format) -> None:
    from recorder.replaying import plan_summary

    if form is not Format.TABLE:
        emit_json(plan_summary.plan_document(plan))
        return
    emit_facts(f"Would replay {plan.name}", plan_summary.plan_facts(plan))
    emit(*plan_summary.plan_rows(plan), form)
    if (letters := plan_summary.letter_rows(plan)) is not None:
        emit(*letters, form)
    if (schemas := plan_summary.translation_rows(plan)) is not None:
        emit(*schemas, form)
    for new in plan.to_create:
        emit_text(f"would create {new.sentence()}")
    if plan.findings:
        emit(*plan_summary.finding_rows(plan.findings), form)
