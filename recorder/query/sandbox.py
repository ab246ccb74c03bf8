"""A DuckDB that can read the segments of one capture and nothing else, whoever wrote the query or the capture.

Only the segments' own paths stay open to it, and its settings are locked; what it spills goes to a private
directory that vanishes with it. It may still *write* to those paths: `recorder.query.gate` keeps statements that
would from running.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import duckdb

from recorder import errors
from recorder.capture.locations import ObjectPath
from recorder.capture.reader import Capture
from recorder.errors import BlackboxError, CaptureError
from recorder.payloads.choices import Choices
from recorder.query.canned import NAMES
from recorder.query.canned import statements as canned_statements
from recorder.query.catalog import CaptureViews
from recorder.query.preparing import Preparation
from recorder.query.views import MACROS, all_paths, literals, quoted

MAIN = "memory"
"""The database of a capture that stands alone: its views need no prefix."""
MEMORY_LIMIT = "1GiB"
"""For DuckDB's own buffers; larger sorts and groups go to disk."""

_PROGRESS = ("enable_progress_bar", "enable_progress_bar_print")


def open_sandbox(
    captures: Mapping[str, Capture], spill: Path, shelf: Path, choices: Choices
) -> tuple[duckdb.DuckDBPyConnection, Preparation]:
    """A locked connection with all views over the captures, each in the database of its name, and what prepares them.

    It spills to the directory `spill` and may read what lies in `shelf`. CaptureError when segments can't be read.
    """
    roots: list[Path | str] = []
    remotes = []
    for number, capture in enumerate(captures.values()):
        if isinstance(capture.root, ObjectPath):
            from recorder.query.remote import Segments

            remotes.append(Segments(capture, number))
            roots.append(remotes[-1].root)
        else:
            roots.append(str(_checked_root(capture, capture.root, spill / f"capture{number}")))
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
    paths: list[str] = []
    try:
        for remote in remotes:
            connection.register_filesystem(remote)
        # Global, because queries run on cursors, which don't inherit a connection's own settings.
        connection.execute("set global timezone = 'UTC'")
        connection.execute("set global parquet_metadata_cache = true")
        views = []
        for number, ((name, capture), root) in enumerate(zip(captures.items(), roots, strict=True)):
            if name != MAIN:
                connection.execute(f"attach ':memory:' as {quoted(name)}")
            chosen = [topic.name for topic in capture.manifest.topics if choices.of(topic.name, "value") is not None]
            views.append(CaptureViews(capture, number, name, root, NAMES, chosen))
            paths += all_paths(capture.manifest.topics, root)
        preparation = Preparation(connection, views, choices, shelf)
        for macro in MACROS:
            connection.execute(macro)
        for view in views:
            for statement in view.base():
                connection.execute(statement)
            for statement in canned_statements(view.capture.manifest, view.catalog, view.number):
                connection.execute(statement)
        if paths:
            connection.execute(f"set allowed_paths = {literals(paths)}")
        connection.execute(f"set allowed_directories = {literals([str(shelf)])}")
        connection.execute("set enable_external_access = false")
        connection.execute(f"set allowed_configs = {literals(_PROGRESS)}")
        connection.execute("set lock_configuration = true")
    except duckdb.Error as error:
        connection.close()
        if told := told_by(error):
            raise told from None
        detail = str(error).splitlines()[0]
        where = ", ".join(str(capture.root) for capture in captures.values())
        raise CaptureError(
            f"{where} can't be queried ({detail}). Run 'blackbox verify' to see what is wrong with it."
        ) from error
    return connection, preparation


def watch_progress(cursor: duckdb.DuckDBPyConnection, wanted: bool) -> None:
    """Let `query_progress` say how far a query of this cursor is, or not; DuckDB itself never draws a bar."""
    # The settings are a connection's own, and the client of an interactive Python switches the bar on.
    cursor.execute(f"set enable_progress_bar = {wanted}")
    if wanted:
        cursor.execute("set enable_progress_bar_print = false")


def told_by(error: Exception) -> BlackboxError | None:
    """The error of this program that a file system of ours raised inside DuckDB, which passes on its text alone."""
    found = re.search(r"\brecorder\.errors\.(\w+): (.+)", str(error))
    return None if found is None else cast("BlackboxError", getattr(errors, found[1])(found[2]))


def _checked_root(capture: Capture, directory: Path, alias: Path) -> Path:
    root = Path(os.path.realpath(directory))
    for path in all_paths(capture.manifest.topics, root):
        # A capture may come from somebody else: a link in it could lead anywhere.
        if os.path.realpath(path) != path:
            raise CaptureError(f"{path} is a link that leads out of its place in the capture: refusing to read it.")
    if glob.has_magic(str(root)):
        # DuckDB would take the name for a pattern and may find another capture by it.
        alias.symlink_to(root)
        return alias
    return root
