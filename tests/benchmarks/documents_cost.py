"""Seconds and memory to read and to patch documents of many clips, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

CLIPS = (1_000, 3_000, 10_000)
_FRAMES = 50
_RATE = Fraction(25)


def _fcp7xml(clips: int, path: Path) -> None:
    from testkit.fcp7xml import Clip, Media, Track, premiere_xml

    media = Media(path.parent / "boom.wav", _RATE, clips * _FRAMES, channels=1, picture=False)
    cut = tuple(
        Clip(media, n * _FRAMES, (n + 1) * _FRAMES, n * _FRAMES, channels=(0,))
        for n in range(clips)
    )
    path.write_bytes(premiere_xml((Track(cut, "Dialogue", channels=1),), _RATE, "many"))


def _fcpxml(clips: int, path: Path) -> None:
    from testkit.fcpxml import Writer

    write = Writer(_RATE)
    boom = write.asset("boom", channels=1, picture=False)
    hour = 3600 * int(_RATE)
    write.items = [
        write.clip(
            boom,
            write.offset(n * _FRAMES),
            n * _FRAMES % (hour - _FRAMES),
            _FRAMES,
            audioRole="dialogue",
        )
        for n in range(clips)
    ]
    path.write_bytes(write.document("many"))


def _otio(clips: int, path: Path) -> None:
    from testkit import otio_json as otio

    media = otio.media(start=0.0, duration=float(clips * _FRAMES), rate=25.0)
    cut = [otio.clip(float(n * _FRAMES), _FRAMES, 25.0, reference=media) for n in range(clips)]
    otio.write(path, otio.timeline([otio.track(list(cut))], 25.0, "many"))


MAKERS: dict[str, tuple[Callable[[int, Path], None], str]] = {
    "fcp7xml": (_fcp7xml, ".xml"),
    "fcpxml": (_fcpxml, ".fcpxml"),
    "otio": (_otio, ".otio"),
}


def costs(counts: tuple[int, ...] = CLIPS) -> list[dict[str, Any]]:
    """A row for each format and number of clips; all clips are cleaned."""
    rows = []
    for name, (write, suffix) in MAKERS.items():
        for clips in counts:
            with tempfile.TemporaryDirectory() as folder:
                document = Path(folder) / f"many{suffix}"
                write(clips, document)
                done = subprocess.run(
                    [sys.executable, __file__, name, str(document)],
                    check=True,
                    capture_output=True,
                    text=True,
                )
                size_mib = round(document.stat().st_size / 2**20, 1)
            row = {"format": name, "clips": clips, "document_mib": size_mib}
            rows.append({**row, **json.loads(done.stdout)})
    return rows


def measure(name: str, document: Path) -> dict[str, Any]:
    """Reads and patches; this process is the one that is measured."""
    from benchmarks.cost import _peak_kib
    from testkit.passthrough_plan import passthrough_plan

    from nlecompanion.plugins import adapters

    adapter = adapters()[name]
    start_s = time.perf_counter()
    timeline = adapter.read(document)
    read_s = time.perf_counter() - start_s
    plan = passthrough_plan(timeline, document.parent)
    start_s = time.perf_counter()
    adapter.patch(document, plan, document.with_name(f"patched{document.suffix}"))
    patch_s = time.perf_counter() - start_s
    return {
        "cleaned": sum(len(track.clips) for track in plan.tracks),
        "read_s": round(read_s, 2),
        "patch_s": round(patch_s, 2),
        "peak_mib": _peak_kib() // 1024,
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]))))
