from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recorder.cli.main import main
from recorder.errors import ExitCode, UsageError
from recorder.scrubbing.guard import guard
from recorder.scrubbing.scrub import scrub
from recorder.scrubbing.signing import load_signer, load_verifier, new_pair
from tests.builders import make_capture
from tests.cli.running import run
from tests.scrubbing.helpers import orders, policy


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw capture, a signed clean one, and keys."""
    work = tmp_path_factory.mktemp("guarded")
    new_pair(work / "k.key", work / "k.pub")
    new_pair(work / "other.key", work / "other.pub")
    raw = make_capture(work / "raw", orders(30))
    scrub(raw, policy(work), work / "clean", signer=load_signer(work / "k.key"))
    return work


def zipped(source: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(source.rglob("*")):
            if path.is_file():
                archive.write(path, Path(source.name) / path.relative_to(source))
    return target


def tarred(source: Path, target: Path, mode: str = "w:gz") -> Path:
    with tarfile.open(target, mode) as archive:  # type: ignore[call-overload]
        archive.add(source, source.name)
    return target


def segment(directory: Path) -> Path:
    return next(directory.rglob("*.parquet"))


def compressed(source: Path, target: Path) -> Path:
    target.write_bytes(gzip.compress(source.read_bytes()))
    return target


def zstd(source: Path, target: Path) -> Path:
    plain = tarred(source, target.with_suffix(".plain"), "w")
    with pa.CompressedOutputStream(str(target), "zstd") as out:
        out.write(plain.read_bytes())
    plain.unlink()
    return target


def nested(source: Path, target: Path) -> Path:
    inner = zipped(source, target.with_name("inner.zip"))
    with zipfile.ZipFile(target, "w") as archive:
        archive.write(inner, "deep/inner.dat")
    inner.unlink()
    return target


def climbing(source: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        archive.write(segment(source), "../../../x.bin")
    return target


def unfinished(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    (target / "manifest.json").unlink()
    (target / "checkpoint.json").write_text('{"format_version": 1, "facts": {}}')
    return target


def retyped(source: Path, target: Path) -> Path:
    """Somebody read a segment with other software and wrote it again, with a column more."""
    table = pq.read_table(segment(source))
    pq.write_table(table.append_column("mine", pa.array([1] * len(table))), target)
    return target


PIECES: dict[str, tuple[Callable[[Path, Path], Path], str]] = {
    "a raw capture": (lambda raw, to: Path(shutil.copytree(raw, to)), "raw capture"),
    "a directory above": (lambda raw, to: Path(shutil.copytree(raw, to / "x/y")).parent.parent, "raw capture"),
    "one file of it": (lambda raw, to: segment(Path(shutil.copytree(raw, to))), "raw capture"),
    "its manifest alone": (
        lambda raw, to: Path(shutil.copy(raw / "manifest.json", to.parent / "manifest.json")),
        "raw",
    ),
    "a recording that goes on": (unfinished, "not finished"),
    "a stray segment": (lambda raw, to: Path(shutil.copy(segment(raw), to.with_suffix(".bin"))), "no clean stamp"),
    "a segment written anew": (retyped, "no clean stamp"),
    "a zip": (lambda raw, to: zipped(raw, to.with_suffix(".zip")), "raw capture"),
    "a zip in a zip": (nested, "raw capture"),
    "a zip that climbs": (climbing, "no clean stamp"),
    "a tar": (lambda raw, to: tarred(raw, to, "w"), "raw capture"),
    "a tar.gz": (tarred, "raw capture"),
    "a tar.xz": (lambda raw, to: tarred(raw, to, "w:xz"), "raw capture"),
    "a tar.zst": (zstd, "raw capture"),
    "a gzipped segment": (lambda raw, to: compressed(segment(raw), to.with_suffix(".gz")), "no clean stamp"),
}


@pytest.mark.parametrize("piece", PIECES)
def test_raw_records_do_not_leave_in_any_shape(made: Path, tmp_path: Path, piece: str) -> None:
    make, why = PIECES[piece]
    (one,) = guard([make(made / "raw", tmp_path / "piece")]).refused
    assert why in one.why
    assert str(tmp_path) in one.where


@pytest.mark.parametrize("pack", [lambda clean, to: clean, zipped, tarred], ids=["as it is", "zip", "tar.gz"])
def test_a_clean_copy_may_leave(made: Path, tmp_path: Path, pack: Callable[[Path, Path], Path]) -> None:
    path = pack(made / "clean", tmp_path / "packed")
    for found in (guard([path], load_verifier(made / "k.pub")), guard([path], allow_unsigned=True)):
        assert (found.refused, len(found.clean)) == ([], 1)


def test_without_a_key_no_stamp_is_believed(made: Path) -> None:
    (one,) = guard([made / "clean"]).refused
    assert "only --public-key, or public_key under guard in blackbox.yaml, can tell" in one.why


def test_the_project_names_the_key(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "blackbox.yaml").write_text("guard: {public_key: keys/reports.pub}\n")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert run(capsys, "guard", made / "clean").code == ExitCode.USAGE  # no such key yet
    for key, code in (("k", ExitCode.OK), ("other", ExitCode.REFUSED)):
        shutil.copy(made / f"{key}.pub", tmp_path / "keys/reports.pub")
        assert run(capsys, "guard", made / "clean").code == code
    assert run(capsys, "guard", made / "clean", "--allow-unsigned").code == ExitCode.OK


def test_a_stray_segment_of_a_clean_copy_has_no_stamp(made: Path, tmp_path: Path) -> None:
    (one,) = guard([Path(shutil.copy(segment(made / "clean"), tmp_path / "x"))]).refused
    assert "no clean stamp" in one.why


def test_a_copy_that_another_key_signed_is_refused(made: Path) -> None:
    (one,) = guard([made / "clean"], load_verifier(made / "other.pub")).refused
    assert "signed by another key" in one.why


@pytest.mark.parametrize("what", ["altered", "added", "missing", "stamp"])
def test_a_clean_copy_that_was_changed_is_refused(made: Path, tmp_path: Path, what: str) -> None:
    clean = Path(shutil.copytree(made / "clean", tmp_path / "clean"))
    if what == "altered":
        shutil.copy(segment(made / "raw"), segment(clean))
    elif what == "added":
        shutil.copy(segment(made / "raw"), clean / "records/more.parquet")
    elif what == "missing":
        segment(clean).unlink()
    else:
        manifest = clean / "manifest.json"
        manifest.write_text(manifest.read_text().replace('"tags": {}', '"tags": {"a": "b"}'))
    (one,) = guard([clean]).refused
    assert what in one.why


def test_other_files_pass(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"format_version": 2, "header": {"name": "a game"}}')
    (tmp_path / "notes.txt").write_text("hello")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    zipped(tmp_path, tmp_path.parent / "others.zip")
    (tmp_path / "loop").symlink_to(tmp_path)
    found = guard([tmp_path, tmp_path.parent / "others.zip"])
    assert (found.refused, found.files) == ([], 7)


def test_an_archive_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", "b" * 1000)
    (tmp_path / "torn.zip").write_bytes(buffer.getvalue()[:-30])
    (one,) = guard([tmp_path / "torn.zip"]).refused
    assert "can't be looked into" in one.why


def test_the_command_exits_with_7_and_names_what(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(made)
    for arguments, code, says in (
        (["raw", "clean"], ExitCode.REFUSED, "raw is a raw capture: scrub it first."),
        (["clean", "--public-key", "k.pub"], ExitCode.OK, "Nothing raw: 1 clean captures"),
        (["clean"], ExitCode.REFUSED, "clean has a clean stamp, which anybody can make"),
        (["clean", "--allow-unsigned"], ExitCode.OK, "Nothing raw: 1 clean captures"),
        (["clean", "--allow-unsigned", "--public-key", "k.pub"], ExitCode.USAGE, "give one of the two"),
        (["nothing"], ExitCode.USAGE, "nothing does not exist"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["guard", *arguments])
        assert ended.value.code == code
        assert says in capsys.readouterr().err


def test_what_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        guard([tmp_path / "nothing"])
