"""What a recording changes in the interpreter is given back when the last one has ended."""

from __future__ import annotations

import gc
import sys

from recorder.recording.interpreter import SWITCH_SECONDS, set_for_recording


def test_recordings_that_overlap_give_back_what_was_there_before_the_first() -> None:
    before = sys.getswitchinterval()
    one, other = set_for_recording(), set_for_recording()
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    assert not gc.isenabled()
    assert abs(sys.getswitchinterval() - SWITCH_SECONDS) < 1e-6
    other.__exit__(None, None, None)
    assert gc.isenabled()
    assert sys.getswitchinterval() == before
