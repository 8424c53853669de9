"""Work that hangs is noticed; work that moves, however slowly, is not."""

from __future__ import annotations

import subprocess
import sys
import threading

from nlecompanion.watch.stalling import EXIT_CODE, Stall

PATIENCE_S = 20


def test_work_that_does_not_move_is_ended_once() -> None:
    ended, told = threading.Event(), []

    def end(line: str) -> None:
        told.append(line)
        ended.set()

    with Stall("scene.xml", 0.01, end):
        assert ended.wait(PATIENCE_S)
    assert len(told) == 1
    assert "scene.xml has not moved for 0.01 s" in told[0]


def test_work_that_moves_or_is_over_is_left_alone() -> None:
    told: list[str] = []
    with Stall("scene.xml", 3600, told.append) as stall:
        for _ in range(1000):
            stall.tick()
    assert told == []


def test_a_process_that_hangs_in_its_main_thread_ends() -> None:
    script = (
        "import threading; from nlecompanion.watch.stalling import Stall\n"
        "with Stall('scene.xml', 0.05): threading.Event().wait()"
    )
    done = subprocess.run([sys.executable, "-c", script], timeout=60, capture_output=True)
    assert done.returncode == EXIT_CODE
