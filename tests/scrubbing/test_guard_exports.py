"""An export says of itself whether it is clean, which anybody can write: only a signature over its bytes counts."""

from __future__ import annotations

import codecs
import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from recorder.errors import ExitCode
from recorder.scrubbing.guard import guard
from recorder.scrubbing.scrub import scrub
from recorder.scrubbing.signing import Verifier, load_signer, load_verifier, new_pair
from tests.builders import make_capture
from tests.cli.running import run
from tests.scrubbing.helpers import orders, policy


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw capture, a signed clean one, and keys."""
    work = tmp_path_factory.mktemp("exported")
    new_pair(work / "k.key", work / "k.pub")
    new_pair(work / "other.key", work / "other.pub")
    raw = make_capture(work / "raw", orders(30))
    scrub(raw, policy(work), work / "clean", signer=load_signer(work / "k.key"))
    return work


def exported(capsys: pytest.CaptureFixture[str], made: Path, out: Path, *more: str | Path, of: str = "clean") -> str:
    ran = run(capsys, "export", made / of, "-o", out, *more)
    assert ran.code == ExitCode.OK, ran.err
    return ran.err


def refusals(path: Path, verifier: Verifier | None) -> list[str]:
    return [one.why for one in guard([path], verifier).refused]


SHAPES = {"a directory": "out", "a file": "out.parquet", "a database": "out.duckdb", "a CSV": "out.csv"}


@pytest.mark.parametrize("shape", SHAPES)
def test_an_export_that_nobody_signed_is_raw(
    capsys: pytest.CaptureFixture[str], made: Path, tmp_path: Path, shape: str
) -> None:
    out = tmp_path / SHAPES[shape]
    assert "Nobody signed that" in exported(capsys, made, out, "-t", "orders")
    for verifier in (None, load_verifier(made / "k.pub")):
        (why,) = refusals(tmp_path, verifier)
        says = (
            "as CSV, which can't say whether they are clean, and" if shape == "a CSV" else "from a clean capture, but"
        )
        assert f"{says} nobody signed that" in why


@pytest.mark.parametrize("shape", SHAPES)
def test_a_signed_export_leaves_with_the_public_key_and_only_with_that_one(
    capsys: pytest.CaptureFixture[str], made: Path, tmp_path: Path, shape: str
) -> None:
    out = tmp_path / SHAPES[shape]
    exported(capsys, made, out, "-t", "orders", "--signing-key", made / "k.key")
    assert refusals(tmp_path, load_verifier(made / "k.pub")) == []
    (why,) = refusals(tmp_path, None)
    assert "only --public-key can tell" in why
    (why,) = refusals(tmp_path, load_verifier(made / "other.pub"))
    assert "signed by another key" in why
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in [one for one in tmp_path.rglob("*") if one.is_file() and one.suffix != ".zip"]:
            archive.write(path, path.relative_to(tmp_path))
    assert refusals(tmp_path / "all.zip", load_verifier(made / "k.pub")) == []


def printed(capsys: pytest.CaptureFixture[str], made: Path, form: str) -> bytes:
    ran = run(capsys, "cat", made / "raw", "-n", "2", "--format", form)
    assert ran.code == ExitCode.OK
    return ran.out.encode()


TEXTS: dict[str, Callable[[bytes, bytes, bytes], bytes]] = {
    "CSV": lambda rows, _lines, _array: rows,
    "CSV saved by a spreadsheet": lambda rows, _lines, _array: codecs.BOM_UTF8 + rows.replace(b",", b";"),
    "CSV in UTF-16": lambda rows, _lines, _array: rows.decode().encode("utf-16"),
    "CSV of other columns too": lambda rows, _lines, _array: b"id,Topic,Partition,Offset,Value\n1,orders,0,7,x\n",
    "JSON lines": lambda _rows, lines, _array: lines,
    "JSON": lambda _rows, _lines, array: array,
    "a JSON line cut short": lambda _rows, lines, _array: lines[:-20].split(b"\n")[-1],
    "JSON of kcat": lambda _rows, _lines, _array: b'{"topic":"t","partition":0,"offset":3,"key":null,"payload":"x"}',
}


@pytest.mark.parametrize("text", TEXTS)
def test_printed_records_are_known_by_the_names_of_their_columns(
    capsys: pytest.CaptureFixture[str], made: Path, tmp_path: Path, text: str
) -> None:
    given = [printed(capsys, made, form) for form in ("csv", "ndjson", "json")]
    (tmp_path / "x").write_bytes(TEXTS[text](*given))
    (why,) = refusals(tmp_path, load_verifier(made / "k.pub"))
    assert f"holds Kafka records as {'CSV' if 'CSV' in text else 'JSON'}, which can't say" in why
    assert "nobody signed that" in why


def test_texts_that_are_none_of_ours_pass(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("topic,partition,offset\nt,0,1\n")
    (tmp_path / "b.json").write_text('{"topic": {"partition": 1, "offset": 2, "value": 3}}')
    (tmp_path / "c.txt").write_text('{"topic" "partition" "offset" "value" {\n' * 9)
    (tmp_path / "d.csv").write_text("the topic, its partition and offset, and a value: a sentence")
    (tmp_path / "e.json").write_text("[" * 100_000)
    (tmp_path / "f.bin").write_bytes(b"topic,partition,offset,value\0\n")
    (tmp_path / "g.csv").write_text('"topic partition offset' + "x" * 200_000)
    assert refusals(tmp_path, None) == []


def test_metadata_that_was_forged_does_not_let_a_raw_export_leave(
    capsys: pytest.CaptureFixture[str], made: Path, tmp_path: Path
) -> None:
    exported(capsys, made, tmp_path / "signed", "-t", "orders", "--signing-key", made / "k.key")
    exported(capsys, made, tmp_path / "raw.parquet", "-t", "orders", of="raw")
    verifier = load_verifier(made / "k.pub")
    assert refusals(tmp_path / "raw.parquet", verifier) == ["is an export from a raw capture"]
    exported(capsys, made, tmp_path / "raw.duckdb", of="raw")
    assert refusals(tmp_path / "raw.duckdb", verifier) == ["is an export from a raw capture"]
    table = pq.read_table(tmp_path / "raw.parquet")
    said = {**table.schema.metadata, b"blackbox.clean": b"true"}
    pq.write_table(table.replace_schema_metadata(said), tmp_path / "signed/orders.parquet")
    (why,) = refusals(tmp_path / "signed", verifier)
    assert "names other files: it was altered" in why


def test_a_seal_that_was_edited_vouches_for_nothing(
    capsys: pytest.CaptureFixture[str], made: Path, tmp_path: Path
) -> None:
    exported(capsys, made, tmp_path / "one", "-t", "orders", "--signing-key", made / "k.key")
    exported(capsys, made, tmp_path / "two", "-t", "mails")
    ours = json.loads((tmp_path / "one/signed.json").read_text())
    shutil.copy(tmp_path / "one/signed.json", tmp_path / "two/signed.json")
    verifier = load_verifier(made / "k.pub")
    (why,) = refusals(tmp_path / "two", verifier)
    assert "names other files" in why
    ours["export"]["files"]["mails.parquet"] = hashlib.sha256((tmp_path / "two/mails.parquet").read_bytes()).hexdigest()
    (tmp_path / "two/signed.json").write_text(json.dumps(ours))
    (why,) = refusals(tmp_path / "two", verifier)
    assert "does not fit: it was edited, or forged" in why
    (tmp_path / "two/signed.json").write_text("{torn")
    (why,) = refusals(tmp_path / "two", verifier)
    assert "can't be read" in why


def test_only_the_key_of_the_capture_signs_its_export_and_only_while_that_is_whole(
    capsys: pytest.CaptureFixture[str], made: Path, tmp_path: Path
) -> None:
    ran = run(capsys, "export", made / "clean", "-o", tmp_path / "out", "--signing-key", made / "other.key")
    assert (ran.code, "is not what key" in ran.err) == (ExitCode.USAGE, True)
    clean = Path(shutil.copytree(made / "clean", tmp_path / "clean"))
    (clean / "notes.txt").write_text("added")
    ran = run(capsys, "export", clean, "-o", tmp_path / "out", "--signing-key", made / "k.key")
    assert (ran.code, "was added later" in ran.err) == (ExitCode.USAGE, True)
    assert not (tmp_path / "out").exists()
    exported(capsys, made, tmp_path / "raw", "--signing-key", made / "k.key", of="raw")
    assert not (tmp_path / "raw/signed.json").exists()


def test_the_command_exits_with_7_for_an_export_that_nobody_signed(
    capsys: pytest.CaptureFixture[str], made: Path, tmp_path: Path
) -> None:
    exported(capsys, made, tmp_path / "out", "-t", "orders")
    ran = run(capsys, "guard", tmp_path / "out", "--public-key", made / "k.pub")
    assert ran.code == ExitCode.REFUSED
    assert "nobody signed that: export it with --signing-key" in ran.err
