"""Raw records wait in memory only: what is no memory, or may be swapped to a disk, is refused."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.errors import RefusedError
from recorder.watching.staging import staging

NO_SWAP = "Filename\t\t\t\tType\t\tSize\tUsed\tPriority\n"
SWAP = NO_SWAP + "/dev/sda2                               partition\t8388604\t0\t-2\n"


@pytest.fixture(autouse=True)
def core_files() -> Iterator[None]:
    """Staging forbids core files for the whole process; give the tests' process its limit back where that goes."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


def system(root: Path, *, kind: str = "tmpfs", swaps: str = NO_SWAP, group: str = "0::/\n", **limits: str) -> Path:
    """A /proc and a /sys in which `root` is on a file system of that `kind`."""
    device = root.stat().st_dev
    proc = root / "system" / "proc"
    (proc / "self").mkdir(parents=True)
    mount = f"30 25 {os.major(device)}:{os.minor(device)} / /x rw,relatime shared:1 - {kind} {kind} rw\n"
    (proc / "self" / "mountinfo").write_text(f"1 0 254:254 / / rw - ext4 /dev/vda rw\n{mount}")
    (proc / "self" / "cgroup").write_text(group)
    (proc / "swaps").write_text(swaps)
    for name, limit in limits.items():
        one = root / "system" / "sys" / "fs" / "cgroup" / name.replace("__", "/")
        one.mkdir(parents=True, exist_ok=True)
        (one / "memory.swap.max").write_text(limit + "\n")
    return root / "system"


def test_a_private_directory_that_vanishes(tmp_path: Path) -> None:
    with staging(tmp_path, tmp_path / "state", system=system(tmp_path)) as directory:
        assert directory.stat().st_mode & 0o777 == 0o700
        (directory / "raw").write_bytes(b"a customer")
    assert not directory.exists()


def test_what_a_killed_watcher_left_is_removed(tmp_path: Path) -> None:
    fake = system(tmp_path)
    with staging(tmp_path, tmp_path / "state", system=fake) as directory:
        name = directory.name
    (tmp_path / name).mkdir()
    (tmp_path / name / "raw").write_bytes(b"a customer")
    with staging(tmp_path, tmp_path / "state", system=fake) as directory:
        assert directory.name == name
        assert list(directory.iterdir()) == []
    with staging(tmp_path, tmp_path / "other", system=fake) as other:
        assert other.name != name


@pytest.mark.parametrize("kind", ["ext4", "overlay", "xfs", "nfs4"])
def test_a_disk_is_refused(tmp_path: Path, kind: str) -> None:
    fake = system(tmp_path, kind=kind)
    with pytest.raises(RefusedError, match=f"is on {kind}, not in memory"), staging(tmp_path, tmp_path, system=fake):
        pass


def test_a_file_system_that_can_not_be_seen_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="unknown file system"), staging(tmp_path, tmp_path, system=tmp_path / "no"):
        pass


def test_a_place_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="does not exist"), staging(tmp_path / "shm", tmp_path):
        pass


def test_memory_that_may_be_swapped_is_refused(tmp_path: Path) -> None:
    fake = system(tmp_path, swaps=SWAP)
    with pytest.raises(RefusedError, match="MemorySwapMax=0"), staging(tmp_path, tmp_path, system=fake):
        pass


@pytest.mark.parametrize(
    ("limits", "allowed"),
    [
        ({"svc__blackbox": "0"}, True),
        ({"svc": "0", "svc__blackbox": "max"}, True),
        ({"svc": "max", "svc__blackbox": "1048576"}, False),
        ({"other": "0"}, False),
    ],
)
def test_swap_is_no_matter_where_a_control_group_forbids_it(
    tmp_path: Path, limits: dict[str, str], allowed: bool
) -> None:
    fake = system(tmp_path, swaps=SWAP, group="4:memory:/x\n0::/svc/blackbox\n", **limits)
    if allowed:
        with staging(tmp_path, tmp_path, system=fake):
            pass
    else:
        with pytest.raises(RefusedError), staging(tmp_path, tmp_path, system=fake):
            pass


def test_no_core_file_is_written_either(tmp_path: Path) -> None:
    fake = system(tmp_path)
    script = (
        "import resource, pathlib; from recorder.watching.staging import staging\n"
        f"with staging(pathlib.Path({str(tmp_path)!r}), pathlib.Path('x'), system=pathlib.Path({str(fake)!r})):\n"
        "    print(resource.getrlimit(resource.RLIMIT_CORE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"
