"""Every channel through which a name could leave is watched: with one rule broken, the copy does not appear."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recorder.capture import writer
from recorder.capture.manifest import MANIFEST_NAME, Manifest, encode
from recorder.capture.reader import Capture, open_capture
from recorder.payloads.schemas import Schema, SubjectVersion
from recorder.payloads.snapshot import write_schemas
from recorder.scrubbing import scrub as scrubbing
from recorder.scrubbing.errors import ScrubError
from recorder.scrubbing.scrub import scrub
from tests.builders import T0, make_capture, record
from tests.canaries.channels import CHANNELS, MARK, capture_of, planted
from tests.canaries.run import clean_copy, found_when_broken
from tests.canaries.search import in_pages, left
from tests.scrubbing.helpers import POLICY, policy

NAME = "Zoë-Müller-Łuczak"
LEGAL = "Anna-Luczak"
"""A name that a topic can be called by."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Capture, dict[str, list[str]]]:
    work = tmp_path_factory.mktemp("canaries")
    canaries = planted(4 * len(CHANNELS), seed=7)
    return work, capture_of(work / "raw", canaries), canaries


@pytest.fixture(scope="module")
def clean(site: tuple[Path, Capture, dict[str, list[str]]]) -> Path:
    work, raw, _canaries = site
    return clean_copy(raw, work)


def test_no_canary_is_left_in_any_channel(site: tuple[Path, Capture, dict[str, list[str]]], clean: Path) -> None:
    assert not any(left(clean, site[2]).values())


@pytest.mark.parametrize("channel", CHANNELS)
def test_every_canary_of_a_channel_is_found_when_its_rule_is_broken(
    site: tuple[Path, Capture, dict[str, list[str]]], channel: str
) -> None:
    work, raw, canaries = site
    assert found_when_broken(raw, work, channel) == len(canaries[channel])


def refused(tmp_path: Path, raw: Capture, text: str = POLICY) -> str:
    with pytest.raises(ScrubError) as caught:
        scrub(raw, policy(tmp_path, text), tmp_path / "clean")
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "policy.yaml"}
    said = str(caught.value)
    assert "luczak" not in said.lower().replace("ł", "l")
    return said


def order(name: str, topic: str = "orders") -> Any:
    return record(topic, 0, T0, "cust-1", {"customer": {"name": name}})


def with_manifest(raw: Capture, **changes: Any) -> Capture:
    manifest = msgspec.structs.replace(raw.manifest, **changes)
    (Path(str(raw.root)) / MANIFEST_NAME).write_bytes(encode(manifest))
    return open_capture(raw.root)


def test_a_topic_named_like_a_person(tmp_path: Path) -> None:
    raw = make_capture(tmp_path / "raw", [order(LEGAL), record(LEGAL, 0, T0, None, {"n": 1})])
    text = POLICY + f"\n  - {{match: {LEGAL}, value: {{n: keep}}}}\n"
    with pytest.raises(ScrubError, match="name or footer"):
        scrub(raw, policy(tmp_path, text), tmp_path / "clean")
    assert not (tmp_path / "clean").exists()


def test_an_empty_topic_named_like_a_person(tmp_path: Path) -> None:
    raw = make_capture(tmp_path / "raw", [order(LEGAL)], topics={LEGAL: 2})
    with pytest.raises(ScrubError, match=r"manifest\.json"):
        scrub(raw, policy(tmp_path), tmp_path / "clean")
    assert not (tmp_path / "clean").exists()


def test_the_footer_of_a_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = make_capture(tmp_path / "raw", [order(NAME)])
    real = pq.ParquetWriter

    def broken(*arguments: Any, **options: Any) -> Any:
        made = real(*arguments, **options)
        made.add_key_value_metadata({"quoted": f"for {NAME}"})
        return made

    monkeypatch.setattr(writer.pq, "ParquetWriter", broken)
    assert "name or footer: an original" in refused(tmp_path, raw)


def test_statistics_are_kept_of_offsets_and_timestamps_alone(tmp_path: Path) -> None:
    raw = make_capture(tmp_path / "raw", [order(NAME)])
    scrub(raw, policy(tmp_path), tmp_path / "clean")
    (segment,) = (tmp_path / "clean").rglob("*.parquet")
    group = pq.ParquetFile(segment).metadata.row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    assert {one.path_in_schema for one in columns if one.is_stats_set} == {"offset", "timestamp_ms"}


@pytest.mark.parametrize("where", ["dictionary", "dictionary within", "statistics"])
def test_what_stands_in_a_page_and_in_no_row_would_be_seen(clean: Path, tmp_path: Path, where: str) -> None:
    """That no canary is left there, as `left` counts, says something only if they would be found."""
    segment = next(path for path in sorted(clean.rglob("*.parquet")) if pq.read_metadata(path).num_rows)
    table = pq.read_table(segment)
    unused = pa.DictionaryArray.from_arrays(pa.array([0] * len(table), pa.int32()), pa.array([b"a", MARK.encode()]))
    column = unused if where == "dictionary" else table.column("key")
    if where == "dictionary within":
        column = pa.ListArray.from_arrays(
            pa.array(range(len(table) + 1), pa.int32()), pa.StructArray.from_arrays([unused], ["value"])
        )
    elif where == "statistics":
        column = pa.array([MARK.encode()] * len(table))
    changed = table.set_column(table.schema.get_field_index("key"), "key", column)
    pq.write_table(changed, tmp_path / "x.parquet", use_dictionary=where != "statistics", write_statistics=True)
    assert in_pages(segment) == 0
    assert in_pages(tmp_path / "x.parquet") > 0


@pytest.mark.parametrize("where", ["tags", "window", "topic config", "lineage"])
def test_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    raw = make_capture(tmp_path / "raw", [order(NAME)])
    real = scrubbing.clean_manifest

    def broken(*arguments: Any) -> Manifest:
        manifest = real(*arguments)
        changes: dict[str, Any] = {
            "tags": {"tags": {"for": NAME}},
            "window": {"window": msgspec.structs.replace(manifest.window, from_text=f"when {NAME} called")},
            "lineage": {"lineage": (msgspec.structs.replace(manifest.lineage[0], user=NAME),)},
            "topic config": {"topics": (msgspec.structs.replace(manifest.topics[0], config={"owner": NAME}),)},
        }
        return msgspec.structs.replace(manifest, **changes[where])

    monkeypatch.setattr(scrubbing, "clean_manifest", broken)
    assert "manifest.json text: an original" in refused(tmp_path, raw)


def test_the_schemas(tmp_path: Path) -> None:
    text = json.dumps({"type": "record", "name": "A", "doc": f"as {NAME} wants it", "fields": []})
    raw = make_capture(tmp_path / "raw", [order(NAME)])
    schema = Schema("avro", text, id=7, subjects=(SubjectVersion("a-value", 1),))
    raw = with_manifest(raw, schemas=write_schemas(Path(str(raw.root)), (schema,)))
    assert "schemas text: an original" in refused(tmp_path, raw)


def test_the_report(tmp_path: Path) -> None:
    """A person's name in the policy, as a header to drop, would stand in the report."""
    one = record("orders", 0, T0, "cust-1", {"customer": {"name": NAME}}, [(NAME, "x")])
    raw = make_capture(tmp_path / "raw", [one])
    text = POLICY.replace('"*": drop', f'"{NAME}": drop')
    assert "report.json text: an original" in refused(tmp_path, raw, text)


@pytest.mark.parametrize("flags", [[], ["--verbose"]])
@pytest.mark.parametrize("channel", ["header name", "nested value", "base64"])
def test_what_is_said_and_logged(
    site: tuple[Path, Capture, dict[str, list[str]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    flags: list[str],
    channel: str,
) -> None:
    from recorder.cli.main import main
    from tests.canaries.channels import policy_text
    from tests.scrubbing.helpers import SECRET

    _work, raw, _canaries = site
    monkeypatch.setenv("BLACKBOX_KEY", SECRET["BLACKBOX_KEY"])
    for text in (policy_text(broken=channel), policy_text().replace("free-text", "other-text")):
        (tmp_path / "policy.yaml").write_text(text)
        with pytest.raises(SystemExit) as ended:
            main([*flags, "scrub", str(raw.root), "-p", str(tmp_path / "policy.yaml"), "-o", str(tmp_path / "clean")])
        said = capfd.readouterr()
        assert (ended.value.code, "nary" in (said.out + said.err).lower()) == (1, False)
