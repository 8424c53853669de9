"""What the pipeline costs beside the bare engine, how much memory it takes, and the documents.

    python tests/benchmarks/cost.py [--json] [--minutes 10] [--long-minutes 120] [--clips 2000]

Overhead: one run measures the bare engine and the whole pipeline over the same sound, for each
engine that is ready (`speed.py` sets them beside other tools). Memory: peak resident size of a
process that works on a long stereo file with 40 uses, and of the programs that it starts.
Documents: reading and patching an FCP7 XML of many clips.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

RATE_HZ = 48_000


def speech_loop(seconds: int) -> np.ndarray:
    """Speech from the demo scene over noise, stereo, looped."""
    from importlib.resources import as_file, files

    parts = []
    for entry in sorted(files("nlecompanion.demo").iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".flac"):
            with as_file(entry) as path:
                samples, rate_hz = soundfile.read(path, dtype="float32")
            parts.append(np.repeat(samples, RATE_HZ // rate_hz))
    voice = np.concatenate(parts)
    voice = np.tile(voice, -(-seconds * RATE_HZ // voice.size))[: seconds * RATE_HZ]
    noise = np.random.default_rng(1).normal(0, 0.02, (voice.size, 2))
    return (0.5 * voice[:, None] + noise).astype(np.float32)


def write_timeline(folder: Path, seconds: int, uses: int) -> Path:
    """A stereo WAV and a Premiere-style timeline that plays all of it in `uses` clips."""
    from testkit.fcp7xml import Clip, Media, Track, premiere_xml

    wav = folder / "long.wav"
    block = speech_loop(min(seconds, 60))
    with soundfile.SoundFile(wav, "w", RATE_HZ, 2, "PCM_16", format="RF64") as file:
        for start in range(0, seconds, 60):
            file.write(block[: (seconds - start) * RATE_HZ])
    rate = Fraction(25)
    each = seconds * 25 // uses
    media = Media(wav, rate, seconds * 25, picture=False)
    clips = tuple(Clip(media, n * each, (n + 1) * each, n * each) for n in range(uses))
    document = folder / "long.xml"
    document.write_bytes(premiere_xml((Track(clips, "Dialogue"),), rate, "long"))
    return document


def engines() -> dict[str, Any]:
    """The ready engines by name."""
    from nlecompanion.plugins import engine_factories

    return {
        name: factory.create()
        for name, factory in engine_factories().items()
        if factory.readiness().ready and factory.merit_db is not None
    }


def bare_seconds(engine: Any, wav: Path, seconds: int) -> float:
    """The engine alone, through the same blocks, on sound that is in memory already."""
    from nlecompanion.engines.blocks import split_blocks
    from nlecompanion.engines.threads import settle_threads

    settle_threads()
    samples, _ = soundfile.read(wav, dtype="float32", always_2d=True)
    samples = samples[: seconds * RATE_HZ]
    start_s = time.perf_counter()
    for _ in split_blocks(
        engine, lambda start, end: samples[start:end], len(samples), RATE_HZ, samples.shape[1]
    ):
        pass
    return time.perf_counter() - start_s


def pipeline_seconds(engine: str, document: Path, out: Path, cleans: bool = True) -> float:
    """The whole run, from the document to the delivery, with that engine."""
    from nlecompanion.pipeline import Place, run
    from nlecompanion.settings import Settings

    start_s = time.perf_counter()
    delivery = run(document, Settings(engine=engine), Place(out))
    taken_s = time.perf_counter() - start_s
    if cleans and not delivery.cleaned:
        raise SystemExit(f"nothing was cleaned: {[str(r.left_alone) for r in delivery.uses]}")
    return taken_s


def overhead(minutes: float, rounds: int = 5) -> list[dict[str, Any]]:
    """Bare engine and pipeline seconds for each engine: medians of rounds that alternate.

    The overhead is the median of each round's own ratio, with the lowest and highest.
    """
    rows = []
    start_up_s = _start_up_seconds()
    for name, engine in engines().items():
        seconds = int(60 * minutes)
        pairs = [_round(name, engine, seconds) for _ in range(rounds)]
        percents = sorted(100 * (whole_s / bare_s - 1) for bare_s, whole_s in pairs)
        rows.append(
            {
                "engine": name,
                "sound_s": seconds,
                "bare_s": round(median(bare_s for bare_s, _ in pairs), 2),
                "pipeline_s": round(median(whole_s for _, whole_s in pairs), 2),
                "overhead_percent": round(median(percents), 1),
                "overhead_percent_range": [round(percents[0], 1), round(percents[-1], 1)],
                "start_up_s": start_up_s,
            }
        )
    return rows


def _round(name: str, engine: Any, seconds: int) -> tuple[float, float]:
    """Seconds of the bare engine, then of the whole run, over the same sound."""
    with tempfile.TemporaryDirectory() as folder:
        document = write_timeline(Path(folder), seconds, 10)
        bare_s = bare_seconds(engine, document.with_suffix(".wav"), seconds)
        return bare_s, pipeline_seconds(name, document, Path(folder))


def _start_up_seconds() -> float:
    """A first run on a few seconds: imports and models, which every process pays once.

    Both sides are measured after it, the bare engine and the pipeline.
    """
    with tempfile.TemporaryDirectory() as folder:
        document = write_timeline(Path(folder), 4, 1)
        start_s = time.perf_counter()
        pipeline_seconds("passthrough", document, Path(folder), cleans=False)
        return round(time.perf_counter() - start_s, 2)


def memory(minutes: float) -> dict[str, Any]:
    """Peak resident MiB of a whole run with `dsp`, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        document = write_timeline(Path(folder), int(60 * minutes), 40)
        done = subprocess.run(
            [sys.executable, __file__, "--measure-run", str(document)],
            check=True,
            capture_output=True,
            text=True,
        )
    measured: dict[str, Any] = json.loads(done.stdout)
    return {"source_minutes": minutes, "uses": 40, **measured}


def measure_run(document: Path) -> None:
    """Runs and prints the peaks; this is the process that is measured."""
    from nlecompanion.pipeline import Place, run
    from nlecompanion.settings import Settings

    start_s = time.perf_counter()
    delivery = run(document, Settings(engine="dsp"), Place(document.parent))
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(
        json.dumps(
            {
                "cleaned": delivery.cleaned,
                "seconds": round(time.perf_counter() - start_s, 1),
                "peak_mib": _peak_kib() // 1024,
                "largest_child_mib": children // 1024,
            }
        )
    )


def _peak_kib() -> int:
    """Linux keeps the parent's peak in `ru_maxrss` across exec; VmHWM starts anew."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lines = status.read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def documents(clips: int) -> dict[str, Any]:
    """Seconds to read and to patch an FCP7 XML of that many clips, all of them cleaned."""
    from testkit.fcp7xml import Clip, Media, Track, premiere_xml
    from testkit.passthrough_plan import passthrough_plan

    from nlecompanion.plugins import adapters

    rate = Fraction(25)
    with tempfile.TemporaryDirectory() as folder:
        media = Media(Path(folder) / "a.mov", rate, clips * 50)
        cut = tuple(Clip(media, n * 50, n * 50 + 50, n * 50) for n in range(clips // 2))
        document = Path(folder) / "many.xml"
        document.write_bytes(premiere_xml((Track(cut, "Dialogue"),), rate, "many"))
        adapter = adapters()["fcp7xml"]
        start_s = time.perf_counter()
        timeline = adapter.read(document)
        read_s = time.perf_counter() - start_s
        plan = passthrough_plan(timeline, Path(folder))
        start_s = time.perf_counter()
        adapter.patch(document, plan, Path(folder) / "patched.xml")
        patch_s = time.perf_counter() - start_s
        size_mib = document.stat().st_size / 2**20
    return {
        "clipitems": clips,
        "document_mib": round(size_mib, 1),
        "read_s": round(read_s, 2),
        "patch_s": round(patch_s, 2),
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--long-minutes", type=float, default=120)
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--measure-run", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure_run is not None:
        measure_run(options.measure_run)
        return
    result: dict[str, Any] = {
        "overhead": overhead(options.minutes),
        "memory": memory(options.long_minutes),
        "documents": documents(options.clips),
    }
    if options.json:
        print(json.dumps(result, indent=2))
        return
    for row in result["overhead"]:
        print(
            f"{row['engine']:<26} {row['sound_s']:>5} s of stereo: engine {row['bare_s']:.2f} s, "
            f"pipeline {row['pipeline_s']:.2f} s, overhead {row['overhead_percent']:.1f} % "
            f"{row['overhead_percent_range']}, start-up {row['start_up_s']:.2f} s once a process"
        )
    print(f"memory:    {result['memory']}")
    print(f"documents: {result['documents']}")


if __name__ == "__main__":
    main()
