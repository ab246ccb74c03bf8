"""A DuckDB that can read the segments of one capture and nothing else, whoever wrote the query or the capture.

Only the segments' own paths stay open to it, and its settings are locked; what it spills goes to a private
directory that vanishes with it. It may still *write* to those paths: `recorder.query.gate` keeps statements that
would from running.
"""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path
from typing import cast

import duckdb

from recorder import errors
from recorder.capture.locations import ObjectPath
from recorder.capture.reader import Capture
from recorder.errors import BlackboxError, CaptureError
from recorder.query.views import all_paths, literals, statements

MEMORY_LIMIT = "1GiB"
"""For DuckDB's own buffers; larger sorts and groups go to disk."""


def open_sandbox(capture: Capture, spill: Path) -> duckdb.DuckDBPyConnection:
    """A locked connection with all views over `capture`, that spills to the directory `spill`.

    CaptureError when the capture's segments can't be read.
    """
    remote = None
    if isinstance(capture.root, ObjectPath):
        from recorder.query.remote import ROOT, Segments

        root, remote = ROOT, Segments(capture)
    else:
        root = str(_checked_root(capture, capture.root, spill))
    paths = all_paths(capture.manifest.topics, root)
    connection = duckdb.connect(
        config={
            "allow_community_extensions": False,
            "allow_persistent_secrets": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "memory_limit": MEMORY_LIMIT,
            "python_enable_replacements": False,
            "secret_directory": str(spill),
            "temp_directory": str(spill),
            "threads": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        }
    )
    try:
        if remote is not None:
            connection.register_filesystem(remote)
        # Global, because queries run on cursors, which don't inherit a connection's own settings.
        connection.execute("set global timezone = 'UTC'")
        connection.execute("set global parquet_metadata_cache = true")
        for statement in statements(capture.manifest, root):
            connection.execute(statement)
        if paths:
            connection.execute(f"set allowed_paths = {literals(paths)}")
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
    except duckdb.Error as error:
        connection.close()
        if told := told_by(error):
            raise told from None
        detail = str(error).splitlines()[0]
        raise CaptureError(
            f"{capture.root} can't be queried ({detail}). Run 'blackbox verify' to see what is wrong with it."
        ) from error
    return connection


def told_by(error: Exception) -> BlackboxError | None:
    """The error of this program that a file system of ours raised inside DuckDB, which passes on its text alone."""
    found = re.search(r"\brecorder\.errors\.(\w+): (.+)", str(error))
    return None if found is None else cast("BlackboxError", getattr(errors, found[1])(found[2]))


def _checked_root(capture: Capture, directory: Path, spill: Path) -> Path:
    root = Path(os.path.realpath(directory))
    for path in all_paths(capture.manifest.topics, root):
        # A capture may come from somebody else: a link in it could lead anywhere.
        if os.path.realpath(path) != path:
            raise CaptureError(f"{path} is a link that leads out of its place in the capture: refusing to read it.")
    if glob.has_magic(str(root)):
        # DuckDB would take the name for a pattern and may find another capture by it.
        alias = spill / "capture"
        alias.symlink_to(root)
        return alias
    return root
