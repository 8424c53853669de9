"""What diagnosis costs beside the split, how its memory grows, and how soon a preview answers.

    python tests/benchmarks/judgement_cost.py --measure SECONDS CHANNELS

prints the peak memory of one pass over that much sound; `judgement.py` calls it for two lengths.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from testkit.sound import noise, voice

from nlecompanion.diagnosis.diagnose import RegionMeasures, diagnose
from nlecompanion.diagnosis.findings import MixtureMeters, SplitMeters, gather
from nlecompanion.diagnosis.levels import LevelMeter
from nlecompanion.diagnosis.loudness import LoudnessMeter
from nlecompanion.diagnosis.speech import SpeechMeter, speech_spans
from nlecompanion.model import MediaFile, Region, Samples, Span, Use

RATE_HZ = 48_000
BLOCK_S = 2
_LOOP_S = 20


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor seconds of all meters for each second of sound."""

    channels: int
    times_real_time: float


def blocks(seconds: int, channels: int) -> Iterator[tuple[Samples, Samples]]:
    """Voice and background, 2 s at a time, looped: memory is that of the loop."""
    spoken = np.tile(voice(_LOOP_S)[:, None], (1, channels)).astype(np.float32)
    under = np.stack([noise(_LOOP_S, seed=n) for n in range(channels)], axis=1).astype(np.float32)
    step = BLOCK_S * RATE_HZ
    for start_s in range(0, seconds, BLOCK_S):
        start = start_s % _LOOP_S * RATE_HZ
        yield spoken[start : start + step], under[start : start + step]


def diagnose_all(seconds: int, channels: int) -> Cost:
    """All of diagnosis over that much sound: the meters of both passes, findings, diagnosis."""
    started_s = time.process_time()
    speech, loudness = SpeechMeter(RATE_HZ), LoudnessMeter(RATE_HZ, channels)
    levels = [LevelMeter(RATE_HZ) for _ in range(3)]
    mixture, split = MixtureMeters(RATE_HZ, channels), SplitMeters(RATE_HZ, channels)
    own_s = 0.0
    for voiced, under in blocks(seconds, channels):
        before_s = time.process_time()
        mix = voiced + under
        own_s += time.process_time() - before_s
        speech.push(mix)
        loudness.push(mix)
        mixture.push(mix)
        split.push(voiced, under)
        for meter, sound in zip(levels, (mix, voiced, under), strict=True):
            meter.push(sound)
    length_s = Fraction(seconds)
    spans = speech_spans(speech.finish(), length_s)
    loudness.finish()
    gather(mixture, split, spans)
    powers = [meter.finish() for meter in levels]
    use, region = _whole(length_s, channels)
    diagnose(use, region, RegionMeasures(spans, powers[0], spans, powers[1], powers[2]))
    return Cost(channels, (time.process_time() - started_s - own_s) / seconds)


def _whole(length_s: Fraction, channels: int) -> tuple[Use, Region]:
    whole, picks = Span(Fraction(0), length_s), tuple(range(channels))
    use = Use("A1-001", "made", "A1", 1, whole, whole, "file:///made.wav", Fraction(0), picks,
              ("clip-1",), None)  # fmt: skip
    media = MediaFile(Path("made.wav"), "wav", 1, 1, length_s, ())
    end = int(length_s * RATE_HZ)
    return use, Region("made", media, picks, RATE_HZ, 0, end, (use,), None, Fraction(0))


def memory_mib(seconds: int, channels: int) -> float:
    """Peak resident MiB of a process of its own that diagnoses that much sound."""
    done = subprocess.run(
        [sys.executable, __file__, "--measure", str(seconds), str(channels)],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(json.loads(done.stdout)["peak_mib"])


@dataclass(frozen=True, slots=True)
class PreviewTime:
    """Wall and processor seconds of one `nlecompanion preview`, and what else the machine did.

    `load` is the number of programs that wanted a processor in the minute before, of `cores`.
    """

    wall_s: float
    processor_s: float
    load: float
    cores: int


def preview_time(document: Path, engine: str, folder: Path) -> PreviewTime:
    """The command itself, in a process of its own, start-up included.

    Raises:
        RuntimeError: it failed.
    """
    load, before = os.getloadavg()[0], os.times()
    command = [sys.executable, "-m", "nlecompanion.cli", "preview", str(document)]
    started_s = time.perf_counter()
    done = subprocess.run(
        [*command, "--out", str(folder), "--engine", engine, "--json"],
        capture_output=True,
        text=True,
    )
    wall_s = time.perf_counter() - started_s
    if done.returncode not in (0, 1):
        raise RuntimeError(f"preview ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    after = os.times()
    used_s = after.children_user + after.children_system
    used_s -= before.children_user + before.children_system
    return PreviewTime(wall_s, used_s, load, os.cpu_count() or 1)


def _peak_mib() -> float:
    status = Path("/proc/self/status")
    if not status.exists():
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lines = status.read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def main() -> None:
    """Diagnoses and prints its own peak."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", nargs=2, type=int, required=True)
    seconds, channels = parser.parse_args().measure
    diagnose_all(seconds, channels)
    print(json.dumps({"peak_mib": round(_peak_mib(), 1)}))


if __name__ == "__main__":
    main()
