"""The watcher on a real Kafka: every kind of trigger takes exactly its window, and nothing is lost on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from recorder.capture.reader import Capture
from recorder.errors import ExitCode
from recorder.kafka.local import LocalKafka, local_kafka
from recorder.kafka.local_registry import LocalRegistry
from recorder.watching.local_socket import CallError
from recorder.watching.settings import load_settings
from recorder.watching.state import Pending
from recorder.watching.take import take
from tests.conftest import create_topic, wait_until
from tests.integration.producing import New, delete_records, delete_topic, produce
from tests.integration.recording import rows
from tests.integration.watching import PROGRAM, Running, watching

pytestmark = pytest.mark.integration

MakeTopic = Callable[..., str]
TOKEN = {"WATCH_TOKEN": "0123456789abcdef0123456789abcdef"}
QUICK = "before: 10s\nafter: 200ms\nsettle: 300ms\n"


def config(topic: str, triggers: str, more: str = "") -> str:
    return f"{QUICK}topics: {{names: [{topic}]}}\ntriggers:\n  {triggers}\n{more}"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def values(capture: Capture, topic: str, partition: int = 0) -> list[bytes | None]:
    return [row.value for row in rows(capture, topic, partition)]


def around(kafka: LocalKafka, topic: str, at_ms: int) -> None:
    """Records just outside and just inside ten seconds before and 200 ms after a moment."""
    names = {-10_001: b"before", -10_000: b"first", -1: b"a", 0: b"b", 199: b"last", 200: b"after"}
    produce(kafka.bootstrap, topic, [New(value, timestamp_ms=at_ms + ms) for ms, value in names.items()])


WINDOW = [b"first", b"a", b"b", b"last"]


def test_a_command_takes_exactly_the_window_before_and_after_it(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    with watching(kafka, tmp_path, config(topic, "oncall: command")) as running:
        said = running.trigger("oncall")
        (pending,) = running.state()["pending"]
        around(kafka, topic, pending["at_ms"])
        (capture,) = running.captures(1)
        assert str(capture.root) == said["capture"]
        assert values(capture, topic) == WINDOW
        window = capture.manifest.window
        assert (window.from_ms, window.to_ms) == (pending["at_ms"] - 10_000, pending["at_ms"] + 200)
        assert capture.manifest.lineage[-1].command == ("blackbox", "watch", "watch.yaml")
        assert running.end() == ExitCode.OK
    assert not (tmp_path / "watch.sock").exists()


def test_the_command_says_which_capture_it_will_be(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    def trigger(name: str, *more: str) -> subprocess.CompletedProcess[str]:
        command = [*PROGRAM, "trigger", name, "--socket", str(tmp_path / "watch.sock"), *more]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    nobody = trigger("oncall")
    assert nobody.returncode == ExitCode.FAILED
    assert "is 'blackbox watch' running as this user?" in nobody.stderr
    with watching(kafka, tmp_path, config(topic, "oncall: command\n  pager: signal")) as running:
        shown = json.loads(trigger("oncall", "--format", "json").stdout)
        assert shown["capture"].startswith(str(tmp_path / "captures" / "oncall-"))
        assert set(shown) == {"capture", "from", "to", "taken_after"}
        assert "taken_after" in trigger("oncall").stdout
        unknown = trigger("pager")
        assert unknown.returncode == ExitCode.USAGE
        assert unknown.stderr == "blackbox: No trigger 'pager' can be called by command: oncall can. See watch.yaml.\n"
        running.captures(2)


def test_nothing_is_on_disk_before_a_trigger_but_the_place(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    produce(kafka.bootstrap, topic, [New(b"before the watcher")] * 10)
    with watching(kafka, tmp_path, config(topic, f"ops: {{topic: {topic}, where: 'false'}}")) as running:
        produce(kafka.bootstrap, topic, [New(b"seen")] * 100)
        wait_until(lambda: running.state()["places"] == {topic: {"0": 110}}, what="the place is noted")
        files = {path.name: path.stat().st_size for path in tmp_path.joinpath("captures").rglob("*") if path.is_file()}
    assert set(files) == {"state.json", "lock"}
    assert files["state.json"] < 500


def test_http_wants_the_token_and_tells_health_and_metrics(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    more = "http: {address: '127.0.0.1:0', token_env: WATCH_TOKEN}"
    with watching(kafka, tmp_path, config(topic, "pager: http", more), TOKEN) as running:
        base = _http_base(running)
        assert _post(f"{base}/triggers/pager", "wrong")[0] == 401
        assert _post(f"{base}/triggers/pager", None)[0] == 401
        assert _post(f"{base}/triggers/nobody", TOKEN["WATCH_TOKEN"])[0] == 404
        assert running.state()["pending"] == []
        status, body = _post(f"{base}/triggers/pager", TOKEN["WATCH_TOKEN"])
        assert status == 202
        (capture,) = running.captures(1, of="pager-")
        assert str(capture.root) in body
        with urllib.request.urlopen(f"{base}/healthz", timeout=10) as answer:
            assert answer.status == 200
        wait_until(lambda: 'captures_total{trigger="pager"} 1' in _get(f"{base}/metrics"), what="it is counted")
        assert 'blackbox_watch_triggers_taken_total{trigger="pager"} 1' in _get(f"{base}/metrics")
        assert running.end() == ExitCode.OK
        assert TOKEN["WATCH_TOKEN"] not in running.said


def test_a_file_triggers_at_the_time_it_was_written_also_while_nobody_watched(
    kafka: LocalKafka, topic: str, tmp_path: Path
) -> None:
    (tmp_path / "drop").mkdir()
    earlier = now_ms() - 60_000
    around(kafka, topic, earlier)
    dropped = tmp_path / "drop" / "deploy-17"
    dropped.write_text("")
    os.utime(dropped, ns=(earlier * 1_000_000, earlier * 1_000_000))
    (tmp_path / "drop" / ".hidden").write_text("")
    with watching(kafka, tmp_path, config(topic, "deploy: {file: drop}")) as running:
        (capture,) = running.captures(1)
        assert values(capture, topic) == WINDOW
        assert [path.name for path in (tmp_path / "drop").iterdir()] == [".hidden"]


def test_a_signal_triggers(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    with watching(kafka, tmp_path, config(topic, "usr1: signal")) as running:
        produce(kafka.bootstrap, topic, [New(b"v")])
        running.process.send_signal(signal.SIGUSR1)
        (capture,) = running.captures(1, of="usr1-")
        assert values(capture, topic) == [b"v"]


def test_each_record_on_a_control_topic_triggers(kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path) -> None:
    topic, control = make_topic(), make_topic(name="control")
    with watching(kafka, tmp_path, config(topic, f"control: {{topic: {control}}}")) as running:
        at = now_ms() - 1_000
        around(kafka, topic, at)
        around(kafka, topic, at + 50)
        produce(kafka.bootstrap, control, [New(timestamp_ms=at), New(None, timestamp_ms=at + 50)])
        first, second = running.captures(2, of="control-")
        assert first.manifest.window.from_ms == at - 10_000
        assert second.manifest.window.from_ms == at - 9_950
        assert values(first, topic)[:4] == WINDOW


def test_a_condition_in_sql_triggers_at_the_record_that_it_holds_for(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    topic = make_topic(3)
    where = "value_json->>'$.status' = 'refused'"
    with watching(kafka, tmp_path, config(topic, f'refused: {{topic: {topic}, where: "{where}"}}')) as running:
        at = now_ms() - 1_000
        bad = [New(b'{"status":"refused"}', timestamp_ms=at + 20 * i, partition=2) for i in range(5)]
        produce(
            kafka.bootstrap, topic, [New(b'{"status":"done"}', timestamp_ms=at), New(b"\xff", timestamp_ms=at), *bad]
        )
        (capture,) = running.captures(1)
        assert capture.manifest.window.to_ms == at + 200
        assert len(values(capture, topic, 2)) == 5


def test_a_condition_sees_into_avro_and_the_capture_holds_the_schema(
    kafka: LocalKafka, registry: LocalRegistry, make_topic: MakeTopic, tmp_path: Path
) -> None:
    topic, client = make_topic(), SchemaRegistryClient({"url": registry.url})
    fields = [{"name": "id", "type": "string"}, {"name": "cents", "type": "long"}]
    write = AvroSerializer(client, json.dumps({"type": "record", "name": "Paid", "fields": fields}))

    def paid(cents: int, at: int) -> New:
        value = write({"id": f"p-{cents}", "cents": cents}, SerializationContext(topic, MessageField.VALUE))
        return New(value, timestamp_ms=at)

    large = f"large: {{topic: {topic}, where: \"(value_json->>'$.cents')::int > 1000\"}}"
    with watching(kafka, tmp_path, config(topic, large), {"SCHEMA_REGISTRY_URL": registry.url}) as running:
        at = now_ms() - 1_000
        produce(kafka.bootstrap, topic, [paid(10, at - 5), New(b"\0\0\0\0\0", timestamp_ms=at), paid(2_000, at)])
        (capture,) = running.captures(1)
        assert running.end() == ExitCode.OK
    assert capture.manifest.window.to_ms == at + 200
    assert capture.sql(f'SELECT cents FROM "{topic}" WHERE cents IS NOT NULL').to_pylist() == [
        {"cents": 10}, {"cents": 2_000},
    ]  # fmt: skip
    assert f"can't see into some values of {topic}" in running.said


def test_a_rate_triggers_when_it_is_exceeded_and_not_before(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    topic, dlq = make_topic(), make_topic(2, name="dlq")
    with watching(kafka, tmp_path, config(topic, f"burst: {{topic: {dlq}, rate: 10/s, over: 1s}}")) as running:
        at = now_ms() - 30_000
        calm = [New(timestamp_ms=at + i * 100, partition=i % 2) for i in range(100)]
        burst = [New(timestamp_ms=at + 15_000 + i * 50, partition=i % 2) for i in range(30)]
        produce(kafka.bootstrap, dlq, calm)
        produce(kafka.bootstrap, dlq, burst)
        (capture,) = running.captures(1)
        assert capture.manifest.window.to_ms == at + 15_000 + 10 * 50 + 200


def test_a_topic_that_appears_later_is_watched_from_its_start(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    late = f"{topic}-dlq"
    with watching(kafka, tmp_path, config(topic, f"dead: {{topic: {late}}}")) as running:
        create_topic(kafka.bootstrap, late)
        produce(kafka.bootstrap, late, [New()])
        running.captures(1, of="dead-")


def test_overlapping_triggers_give_captures_of_their_own(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    with watching(kafka, tmp_path, config(topic, "oncall: command\n  other: command")) as running:
        produce(kafka.bootstrap, topic, [New(b"v")])
        for name in ("oncall", "other", "oncall"):
            running.trigger(name)
        assert all(values(capture, topic) == [b"v"] for capture in running.captures(3))
        assert len(running.names("oncall-")) == 2


def test_a_trigger_survives_a_kill_and_is_taken_at_the_next_start(
    kafka: LocalKafka, topic: str, tmp_path: Path
) -> None:
    slow = config(topic, "oncall: command").replace("after: 200ms", "after: 2s")
    with watching(kafka, tmp_path, slow) as running:
        running.trigger("oncall")
        produce(kafka.bootstrap, topic, [New(b"v")])
        running.process.kill()
    assert running.names() == []
    with watching(kafka, tmp_path, slow) as again:
        assert "Still to be taken from before the start: 1 capture" in again.said
        (capture,) = again.captures(1)
        assert values(capture, topic) == [b"v"]
        wait_until(lambda: again.state()["pending"] == [], what="it is noted as taken")
    with watching(kafka, tmp_path, slow) as third:
        assert third.end() == ExitCode.OK
    assert len(third.names()) == 1


def test_ended_while_a_trigger_waits_it_says_so_and_keeps_it(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    slow = config(topic, "oncall: command").replace("after: 200ms", "after: 1h")
    with watching(kafka, tmp_path, slow) as running:
        said = running.trigger("oncall")
        assert running.end(signal.SIGINT) == ExitCode.OK
        name = Path(said["capture"]).name
        assert f"{name} is noted and will be taken at the next start" in running.said
    assert [one["capture"] for one in running.state()["pending"]] == [name]


def test_a_signal_that_arrives_with_the_end_is_not_lost(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    with watching(kafka, tmp_path, config(topic, "usr1: signal")) as running:
        running.process.send_signal(signal.SIGTERM)
        running.process.send_signal(signal.SIGUSR1)
        assert running.process.wait(30) == ExitCode.OK
    assert len(running.state()["pending"]) + len(running.names()) == 1


def test_conditions_go_on_at_their_place_after_a_kill(kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path) -> None:
    topic, control = make_topic(), make_topic(name="control")
    text = config(topic, f"control: {{topic: {control}}}")
    with watching(kafka, tmp_path, text) as running:
        produce(kafka.bootstrap, control, [New()])
        running.captures(1)
        wait_until(lambda: running.state()["pending"] == [], what="the capture is noted as taken")
        running.process.kill()
    produce(kafka.bootstrap, control, [New(), New()])
    with watching(kafka, tmp_path, text) as again:
        again.captures(3)
        assert again.end() == ExitCode.OK
    assert running.state()["places"] == {control: {"0": 3}}


def test_what_retention_took_before_it_was_looked_at_is_a_named_loss(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    topic, control = make_topic(), make_topic(name="control")
    text = config(topic, f"control: {{topic: {control}}}")
    with watching(kafka, tmp_path, text) as running:
        assert running.end() == ExitCode.OK
    produce(kafka.bootstrap, control, [New()] * 5)
    delete_records(kafka.bootstrap, control, 4)
    with watching(kafka, tmp_path, text) as again:
        again.captures(1)
        assert again.end() == ExitCode.LOSS
        assert f"{control}/0: offsets 0 to 3 were deleted before conditions looked at them" in again.said


def test_a_topic_made_anew_is_watched_from_its_start(kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path) -> None:
    topic, control = make_topic(), make_topic(name="control")
    produce(kafka.bootstrap, control, [New()] * 2)
    text = config(topic, f"control: {{topic: {control}}}")
    with watching(kafka, tmp_path, text) as running:
        assert running.end() == ExitCode.OK
    delete_topic(kafka.bootstrap, control)
    create_topic(kafka.bootstrap, control)
    produce(kafka.bootstrap, control, [New()] * 3)
    with watching(kafka, tmp_path, text) as again:
        again.captures(3)
        assert f"{control} was deleted and created anew" in again.said


def test_beyond_the_daily_cap_no_capture_is_taken(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    with watching(kafka, tmp_path, config(topic, "oncall: command", "daily_cap: 2")) as running:
        running.trigger("oncall")
        running.trigger("oncall")
        with pytest.raises(CallError, match="the 2 captures of") as caught:
            running.trigger("oncall")
        assert caught.value.exit_code == ExitCode.REFUSED
        running.captures(2)
        assert running.end() == ExitCode.OK


def test_a_capture_that_can_not_be_taken_is_tried_again(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    topic = make_topic()
    with watching(kafka, tmp_path, config(topic, "oncall: command")) as running:
        blocker = tmp_path / "captures" / "away"
        (tmp_path / "captures").rename(tmp_path / "moved")
        (tmp_path / "captures").write_text("a file where the directory should be")
        with pytest.raises(CallError, match="Can't write"):
            running.trigger("oncall")
        (tmp_path / "captures").unlink()
        (tmp_path / "moved").rename(tmp_path / "captures")
        assert not blocker.exists()
        running.trigger("oncall")
        running.captures(1)
        assert running.end() == ExitCode.OK


def test_a_capture_that_is_broken_off_leaves_nothing(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    (tmp_path / "watch.yaml").write_text(config(topic, "oncall: command", "out: captures"))
    settings = load_settings(tmp_path / "watch.yaml", {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap})
    settings.out.mkdir()
    produce(kafka.bootstrap, topic, [New()])
    at, stop = now_ms(), threading.Event()
    pending = Pending(capture="oncall-1", trigger="oncall", at_ms=at, from_ms=at - 10_000, to_ms=at)
    stop.set()
    assert take(settings, pending, None, stop) is None
    assert list(settings.out.iterdir()) == []
    stop.clear()
    taken = take(settings, pending, None, stop)
    assert taken is not None and taken.manifest.records == 1
    assert take(settings, pending, None, stop) == taken  # as after a crash before it was noted


def test_while_brokers_are_away_it_waits_and_then_goes_on(tmp_path: Path) -> None:
    with local_kafka() as own:
        create_topic(own.bootstrap, "orders")
        create_topic(own.bootstrap, "control")
        text = config("orders", "oncall: command\n  control: {topic: control}")
        with watching(own, tmp_path, text) as running:
            produce(own.bootstrap, "orders", [New(b"v")])
            own.brokers[0].kill()
            running.trigger("oncall")
            wait_until(lambda: "It is tried again in" in running.said, what="the capture failed", seconds=60)
            own.brokers[0].start()
            own.wait_ready()
            produce(own.bootstrap, "control", [New()])
            assert len(running.captures(2)) == 2
            assert values(running.captures(1, of="oncall-")[0], "orders") == [b"v"]
            assert running.end() == ExitCode.OK


def test_two_watchers_never_share_a_place(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    with watching(kafka, tmp_path, config(topic, "oncall: command")) as running:
        with (
            pytest.raises(AssertionError, match="Another watcher works with"),
            watching(kafka, tmp_path, config(topic, "oncall: command")),
        ):
            pass
        running.trigger("oncall")
        running.captures(1)


def _http_base(running: Running) -> str:
    wait_until(lambda: "serves /healthz" in running.said, what="HTTP is served")
    (line,) = (line for line in running.said.splitlines() if "serves /healthz" in line)
    return line.split()[0]


def _post(url: str, token: str | None) -> tuple[int, str]:
    request = urllib.request.Request(url, data=b"{}", method="POST")
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
        return text
