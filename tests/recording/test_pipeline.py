"""The writer thread: in order, bounded, and no error is lost."""

from __future__ import annotations

import threading

import pytest

from recorder.recording import pipeline as pipeline_module
from recorder.recording.pipeline import Pipeline
from tests.conftest import wait_until


def test_jobs_run_in_the_order_they_were_added() -> None:
    done: list[int] = []
    with Pipeline() as pipeline:
        for number in range(500):
            pipeline.add(lambda number=number: done.append(number))  # type: ignore[misc]
        pipeline.wait()
        assert done == list(range(500))
    assert not [thread for thread in threading.enumerate() if thread.name == "writer"]


def test_jobs_of_one_key_keep_their_order_and_those_of_another_need_not_wait() -> None:
    done: list[tuple[str, int]] = []
    go = threading.Event()
    with Pipeline() as pipeline:
        pipeline.add(go.wait, key="slow")  # type: ignore[arg-type]
        for number in range(100):
            pipeline.add(lambda number=number: done.append(("slow", number)), key="slow")  # type: ignore[misc]
            pipeline.add(lambda number=number: done.append(("fast", number)), key="fast")  # type: ignore[misc]
        wait_until(lambda: len(done) == 100, what="those of the other key have run")
        go.set()
    assert done == [(key, number) for key in ("fast", "slow") for number in range(100)]


def test_who_leaves_waits_for_what_was_added() -> None:
    done: list[int] = []
    go = threading.Event()
    with Pipeline() as pipeline:
        pipeline.add(go.wait)  # type: ignore[arg-type]
        pipeline.add(lambda: done.append(1))
        go.set()
    assert done == [1]


@pytest.mark.parametrize("who", ["add", "wait", "exit"])
def test_an_error_reaches_whoever_comes_next(who: str) -> None:
    def fail() -> None:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"), Pipeline() as pipeline:
        pipeline.add(fail)
        wait_until(lambda: pipeline._error is not None, what="the job failed")
        if who == "add":
            pipeline.add(lambda: None)
        elif who == "wait":
            pipeline.wait()


def test_nothing_runs_after_an_error() -> None:
    done: list[int] = []
    go = threading.Event()

    def fail() -> None:
        go.wait()
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"), Pipeline() as pipeline:
        pipeline.add(fail)
        pipeline.add(lambda: done.append(1))
        go.set()
    assert done == []


def test_only_so_many_bytes_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "WAITING_BYTES", 100)
    go = threading.Event()
    added: list[int] = []
    with Pipeline() as pipeline:

        def feed() -> None:
            for number in range(10):
                pipeline.add(lambda: go.wait() and None, 40)  # type: ignore[func-returns-value]
                added.append(number)

        feeding = threading.Thread(target=feed)
        feeding.start()
        wait_until(lambda: len(added) == 3, what="three jobs fit")
        feeding.join(0.2)
        assert len(added) == 3
        go.set()
        feeding.join()
    assert len(added) == 10


def test_an_error_of_the_caller_is_not_held_up_by_waiting_jobs() -> None:
    go = threading.Event()
    done: list[int] = []
    with pytest.raises(KeyboardInterrupt), Pipeline() as pipeline:
        pipeline.add(go.wait)  # type: ignore[arg-type]
        pipeline.add(lambda: done.append(1))
        threading.Timer(0.1, go.set).start()
        raise KeyboardInterrupt
    assert done == []
