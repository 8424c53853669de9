"""Each fault of the fault table, done for real a few times; the benchmark does it often."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.faults import CLOCKED, REAL
from benchmarks.faults_field import Field, Nursery
from click.testing import CliRunner

from nlecompanion.cli import main
from nlecompanion.watch.asking import PATIENCE_S

#: How often each; a kill is cheap.
_TRIES = {"killed": 3}
_DOCUMENTS = {"clock_jumps": 5, "dropped_at_once": 25, "slow_copies": 10}

linux = pytest.mark.skipif(sys.platform != "linux", reason="kills and mounts as Linux does")


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as nursery:
        yield nursery


@linux
@pytest.mark.parametrize("fault", REAL)
def test_nothing_is_lost_doubled_or_half_written(nursery: Nursery, fault: str) -> None:
    _, do = REAL[fault]
    tries = _TRIES.get(fault, 1)
    try:
        count = do(nursery, tries, random.Random(7))
    except PermissionError as error:
        pytest.skip(str(error))
    assert (count.lost, count.doubled, count.half_written) == (0, 0, 0), count.told
    assert count.tried == tries


@linux
def test_real_work_is_cancelled_within_seconds_and_goes_on_by_retry(
    nursery: Nursery, tmp_path: Path
) -> None:
    field = Field(nursery, tmp_path / "watched", tmp_path / "media", tmp_path / "log")
    field.drop("scene")
    with field.daemon():
        field.wait_for_state("working")
        from_s = time.monotonic()
        command = ["cancel", str(field.root), "scene.xml"]
        result = CliRunner().invoke(main, command, catch_exceptions=False)
        took_s = time.monotonic() - from_s
        assert "is cancelled" in result.output
        assert list((field.root / "done").iterdir()) == []
        assert CliRunner().invoke(main, ["retry", str(field.root), "1"]).exit_code == 0
        field.wait_until_done()
    count = field.count(1)
    assert (count.lost, count.doubled, count.half_written) == (0, 0, 0), count.told
    assert took_s < PATIENCE_S


@pytest.mark.parametrize("fault", CLOCKED)
def test_nothing_is_lost_doubled_or_started_early(fault: str) -> None:
    _, do = CLOCKED[fault]
    count = do(_DOCUMENTS[fault], random.Random(7))
    assert (count.lost, count.doubled, count.half_written) == (0, 0, 0), count.told
    assert count.tried == _DOCUMENTS[fault]
