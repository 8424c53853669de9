"""The tables of `speed.py`: side by side, memory, uses, drift."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import soundfile
from benchmarks.cost import speech_loop
from benchmarks.speed_sources import RATE_HZ, Source, dense, spread, whole_day

_CHILD = Path(__file__).with_name("speed_child.py")
#: What the others are set in proportion to.
OURS = "dialogue"
WHOLE = "whole run"
#: Slow: on less of the sound it says the same.
_MOST_S = {"htdemucs": 10}
_PEERS = ("rnnoise", "noisereduce")


@dataclass(frozen=True, slots=True)
class Machine:
    """Which interpreters run what, with how many threads; `weights` is the weights folder."""

    peers: Path | None
    weights: Path | None
    threads: int = 1

    def measured(self, *arguments: str, peer: bool = False) -> dict[str, Any]:
        """One child's figures.

        Raises:
            RuntimeError: it failed; its last line of errors.
        """
        threads = str(self.threads)
        environment = os.environ | {
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
        }
        if self.weights is not None:
            environment["NLECOMPANION_WEIGHTS"] = str(self.weights)
        python = str(self.peers) if peer and self.peers else sys.executable
        done = subprocess.run(
            [python, str(_CHILD), *arguments],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["no word"]
            raise RuntimeError(f"{' '.join(arguments)}: {lines[-1]}")
        figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return figures


@dataclass(frozen=True, slots=True)
class Row:
    """One system: medians over the rounds, and its ratio to our engine with lowest and highest.

    Real-time factors are processor seconds a second of sound: other programs on the machine
    change them less than the clock.
    """

    system: str
    sound_s: int
    real_time_factor: float
    clock_factor: float
    ratio: float
    ratio_range: tuple[float, float]
    peak_mib: int
    start_up_s: float


def side_by_side(
    machine: Machine, folder: Path, seconds: int, rounds: int
) -> tuple[list[Row], list[str]]:
    """All systems on the same sound, round after round; what could not run, and why."""
    folder.mkdir(parents=True, exist_ok=True)
    notes: list[str] = []
    found: dict[str, list[dict[str, Any]]] = {}
    systems = [OURS, WHOLE, "dsp", "deepfilternet", "htdemucs", *_PEERS]
    for number in range(rounds):
        for system in list(systems):
            sound_s = min(seconds, _MOST_S.get(system, seconds))
            try:
                figures = _once(machine, folder / str(number), system, sound_s)
            except RuntimeError as error:
                notes.append(f"{system} left out: {error}")
                systems.remove(system)
                continue
            figures |= {"sound_s": sound_s}
            found.setdefault(system, []).append(figures)
    return [_row(system, rows, found[OURS]) for system, rows in found.items()], notes


def _once(machine: Machine, folder: Path, system: str, seconds: int) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    if system == WHOLE:
        source = dense(folder / "run", seconds)
        return machine.measured("run", OURS, str(source.document))
    wav = folder / f"{seconds}.wav"
    if not wav.exists():
        soundfile.write(wav, speech_loop(seconds), RATE_HZ, subtype="FLOAT")
    return machine.measured("split", system, str(wav), peer=system in _PEERS)


def _row(system: str, rows: Sequence[dict[str, Any]], ours: Sequence[dict[str, Any]]) -> Row:
    factors = [row["processor_s"] / row["sound_s"] for row in rows]
    ratios = sorted(
        factor / (own["processor_s"] / own["sound_s"])
        for factor, own in zip(factors, ours, strict=False)
    )
    return Row(
        system=system,
        sound_s=rows[0]["sound_s"],
        real_time_factor=round(median(factors), 4),
        clock_factor=round(median(row["clock_s"] / row["sound_s"] for row in rows), 4),
        ratio=round(median(ratios), 2),
        ratio_range=(round(ratios[0], 2), round(ratios[-1], 2)),
        peak_mib=max(row["peak_mib"] for row in rows),
        start_up_s=round(median(row["start_up_s"] for row in rows), 2),
    )


def memory(machine: Machine, folder: Path, hours: float, region_minutes: float) -> dict[str, Any]:
    """Peak MiB with a minute's media and with hours', and with one region that long."""
    short = spread(folder / "short", 60, 6)
    long = spread(folder / "long", int(3600 * hours), 6)
    region = dense(folder / "region", int(60 * region_minutes))
    peaks = {
        name: machine.measured("run", OURS, str(source.document))["peak_mib"]
        for name, source in (("minute", short), ("hours", long), ("region", region))
    }
    return {
        "hours": hours,
        "region_minutes": region_minutes,
        "minute_mib": peaks["minute"],
        "hours_mib": peaks["hours"],
        "grows_percent": round(100 * (peaks["hours"] / peaks["minute"] - 1), 1),
        "region_mib": peaks["region"],
    }


def uses(machine: Machine, folder: Path, counts: Sequence[int]) -> dict[str, Any]:
    """Processor seconds of runs with that many uses, and a straight line to them.

    Each use plays 2 s, 8 s after the one before: a region of its own of 6 s with its handles.
    """
    rows = []
    for count in counts:
        source = spread(folder / str(count), 8 * count, count, use_s=2)
        figures = machine.measured("run", "dsp", str(source.document))
        rows.append(
            {
                "uses": count,
                "cleaned": figures["cleaned"],
                "processor_s": round(figures["processor_s"], 2),
                "peak_mib": figures["peak_mib"],
            }
        )
    result: dict[str, Any] = {"rows": rows}
    if len(rows) > 1:
        n = np.array([row["uses"] for row in rows], float)
        taken_s = np.array([row["processor_s"] for row in rows])
        # Each point counts by its own size: the largest must not hide the others.
        slope_s, fixed_s = np.polyfit(n, taken_s, 1, w=1 / taken_s)
        off = np.abs(fixed_s + slope_s * n - taken_s) / taken_s
        result |= {
            "fixed_s": round(float(fixed_s), 2),
            "a_use_s": round(float(slope_s), 4),
            "furthest_off_percent": round(100 * float(off.max()), 1),
        }
    return result


def drift(machine: Machine, folder: Path) -> dict[str, Any]:
    """A day of 29.97 drop-frame, delivered and read again: frames and samples that it is off."""
    source = whole_day(folder)
    figures = machine.measured("run", "dsp", str(source.document))
    if figures["document"] is None:
        raise SystemExit("nothing of the 24-hour timeline was cleaned")
    off_frames = _off_frames(source, Path(figures["document"]))
    off_samples = _off_samples(source, Path(figures["document"]))
    return {
        "uses": len(source.uses),
        "cleaned": figures["cleaned"],
        "found_again": len(off_frames),
        "most_frames": max(off_frames, default=None),
        "most_samples": max(off_samples, default=None),
        "last_use_ends_at_frame": source.uses[-1][0] + source.use_frames,
        "peak_mib": figures["peak_mib"],
    }


def _cleaned_uses(document: Path) -> list[Any]:
    from nlecompanion.isolation import Isolation
    from nlecompanion.timeline.documents import read_document

    with Isolation() as isolation:
        read = read_document(document, "fcp7xml", isolation)
    return [use for use in read.uses if use.track.startswith("DX clean")]


def _off_frames(source: Source, document: Path) -> list[Fraction]:
    """How far each cleaned use's ends lie from those of its original, in frames of the timeline."""
    wanted = sorted(record for record, _ in source.uses)
    found = sorted(_cleaned_uses(document), key=lambda use: use.record.start_s)
    return [
        max(
            abs(use.record.start_s * source.rate - start),
            abs(use.record.end_s * source.rate - start - source.use_frames),
        )
        for use, start in zip(found, wanted, strict=False)
    ]


def _off_samples(source: Source, document: Path) -> list[int]:
    """How far each cleaned use plays from the sound of its original, by correlation."""
    from scipy.signal import correlate

    by_record = dict(source.uses)
    off = []
    for use in _cleaned_uses(document):
        start = by_record[round(use.record.start_s * source.rate)]
        first = round(Fraction(start) / source.rate * RATE_HZ)
        clip = _local(use.media_url)
        at = round(use.source.start_s * RATE_HZ)
        count = round(source.use_frames / source.rate * RATE_HZ)
        cleaned, _ = soundfile.read(clip, start=at, frames=count)
        original, _ = soundfile.read(source.media, start=first, frames=count)
        found = correlate(cleaned, original, method="fft")
        off.append(abs(int(np.argmax(found)) - (len(original) - 1)))
    return off


def _local(url: str) -> Path:
    from urllib.parse import unquote, urlsplit

    return Path(unquote(urlsplit(url).path))


def plain(value: Any) -> Any:
    """For JSON."""
    if isinstance(value, Row):
        return asdict(value)
    if isinstance(value, Fraction):
        return float(value)
    raise TypeError(type(value).__name__)
