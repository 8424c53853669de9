"""Sound on disk: what is read is what was written, and nothing of it stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from testkit.media_files import varied_sound

from nlecompanion.errors import NotWritable
from nlecompanion.media.scratch import ScratchAudio


def test_any_stretch_comes_back_bit_for_bit(tmp_path: Path) -> None:
    sound = varied_sound(10_000, 3, 48_000)
    with ScratchAudio.create(tmp_path / "a.f32", 48_000, 3) as scratch:
        for start in range(0, 10_000, 1234):
            scratch.append(sound[start : start + 1234])
        assert scratch.length_samples == 10_000
        assert (scratch.channels, scratch.rate_hz) == (3, 48_000)
        for start, count in [(0, 10_000), (1, 1), (1233, 3), (9_999, 1), (5, 0)]:
            read = scratch.read(start, count)
            assert np.array_equal(read, sound[start : start + count])
            assert read.dtype == np.float32
        # Reading in between does not disturb writing.
        scratch.append(sound[:7])
        assert np.array_equal(scratch.read(10_000, 7), sound[:7])
        own = scratch.read(0, 5)
        own[:] = 9
        assert np.array_equal(scratch.read(0, 5), sound[:5])
    assert not (tmp_path / "a.f32").exists()


def test_slices_and_other_types_are_stored_as_float32(tmp_path: Path) -> None:
    sound = varied_sound(100, 4, 48_000)
    with ScratchAudio.create(tmp_path / "a.f32", 48_000, 2) as scratch:
        scratch.append(sound[:, ::2])
        scratch.append(sound[::-1, :2].astype(np.float64))
        assert np.array_equal(scratch.read(0, 100), sound[:, ::2])
        assert np.array_equal(scratch.read(100, 100), sound[::-1, :2])


@pytest.mark.parametrize(("start", "count"), [(-1, 2), (0, 11), (10, 1), (3, -1)])
def test_what_was_never_written_cannot_be_read(tmp_path: Path, start: int, count: int) -> None:
    with ScratchAudio.create(tmp_path / "a.f32", 48_000, 1) as scratch:
        scratch.append(np.zeros((10, 1), np.float32))
        with pytest.raises(ValueError, match="do not lie within the 10"):
            scratch.read(start, count)
        with pytest.raises(ValueError, match="expected"):
            scratch.append(np.zeros((10, 2), np.float32))


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotWritable, match=r"a\.f32 cannot be written"):
        ScratchAudio.create(tmp_path / "missing" / "a.f32", 48_000, 1)
