"""Documents that kill their reader cost one document each: the daemon and the others go on."""

from __future__ import annotations

import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from testkit import hostile_adapter
from testkit.fcp7xml import Clip, Media, Track, premiere_xml
from testkit.watching import Bench

from nlecompanion.isolation import Limits
from nlecompanion.watching import Reader

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")

_LIMITS = Limits(memory_bytes=1 << 28, cpu_s=60, wall_s=120)
#: Above what it takes to start a reader on a busy machine.
_HANG_S = 6


def limits_for(document: Path) -> Limits:
    """Those of a small document; what hangs is waited for less long."""
    return replace(_LIMITS, wall_s=_HANG_S) if document.stem == "hang" else _LIMITS


def test_documents_that_crash_hang_and_grow_go_to_failed_and_the_next_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    hostile_adapter.install(site, monkeypatch)
    monkeypatch.setattr("nlecompanion.timeline.documents.limits_for", limits_for)
    media = Media(tmp_path / "none.wav", Fraction(25), 125, picture=False)
    good = premiere_xml((Track((Clip(media, 0, 50, 0),), "Dialogue"),), Fraction(25), "good")
    bench = Bench(tmp_path / "watched")
    with Reader() as bench.check, bench.daemon() as daemon:
        for what in ("crash", "leave", "hang", "bomb"):
            bench.drop(f"{what}.hostile", what.encode())
        bench.drop("good.xml", good)
        bench.settle(daemon)
    assert bench.states() == {
        "bomb.hostile": ["failed"],
        "crash.hostile": ["failed"],
        "good.xml": ["done"],
        "hang.hostile": ["failed"],
        "leave.hostile": ["failed"],
    }
    told = {
        name: (bench.root / "failed" / f"{name}.hostile.txt").read_text()
        for name in ("crash", "leave", "hang", "bomb")
    }
    assert "SIGSEGV" in told["crash"]
    assert "exit code 7" in told["leave"]
    assert "took longer than 6 s" in told["hang"]
    assert "MiB of memory" in told["bomb"]
