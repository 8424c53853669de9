"""Sound that is read while it arrives: all of it, in order, and errors are not lost."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from nlecompanion.errors import MediaUnreadable
from nlecompanion.media.arriving import ArrivingTake
from nlecompanion.media.scratch import ScratchAudio
from nlecompanion.model import Samples

BLOCKS = [np.full((100, 2), n, np.float32) for n in range(50)]
PATIENCE_S = 20


def drain(blocks: Iterator[Samples]) -> int:
    return sum(len(block) for block in blocks)


def test_the_reader_waits_for_what_is_not_there_yet(tmp_path: Path) -> None:
    gate = Event()

    def slow() -> Iterator[Samples]:
        yield from BLOCKS[:10]
        assert gate.wait(PATIENCE_S)
        yield from BLOCKS[10:]

    with ScratchAudio.create(tmp_path / "a", 48_000, 2) as take, ThreadPoolExecutor(1) as beside:
        arriving = ArrivingTake(take)
        writing = beside.submit(lambda: drain(arriving.filled(slow())))
        assert arriving.read(0, 1000)[-1, 0] == 9
        gate.set()
        rest = arriving.read(1000, 5000)
        assert writing.result(PATIENCE_S) == 5000
    assert np.array_equal(rest, np.concatenate(BLOCKS[10:]))


def test_what_stops_the_writer_is_raised_in_the_reader(tmp_path: Path) -> None:
    def broken() -> Iterator[Samples]:
        yield BLOCKS[0]
        raise MediaUnreadable("the file ends here")

    with ScratchAudio.create(tmp_path / "a", 48_000, 2) as take, ThreadPoolExecutor(1) as beside:
        arriving = ArrivingTake(take)
        beside.submit(lambda: drain(arriving.filled(broken())))
        with pytest.raises(MediaUnreadable, match="ends here"):
            arriving.read(0, 200)


def test_a_reader_that_gives_up_ends_the_writer(tmp_path: Path) -> None:
    with ScratchAudio.create(tmp_path / "a", 48_000, 2) as take, ThreadPoolExecutor(1) as beside:
        arriving = ArrivingTake(take)
        arriving.stop()
        endless = (BLOCKS[0] for _ in iter(int, 1))
        assert beside.submit(lambda: drain(arriving.filled(endless))).result(PATIENCE_S) == 0
