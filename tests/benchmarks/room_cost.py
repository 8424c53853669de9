"""What the chain after the split costs, and how much memory a region takes, by its length.

`python tests/benchmarks/room_cost.py MINUTES` works on that much made sound and prints one line.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import soundfile
from benchmarks.room_chain import RATE_HZ, stretch
from testkit.speech import speech

from nlecompanion.media.scratch import ScratchAudio
from nlecompanion.settings import load_profile
from nlecompanion.work.decide import decide
from nlecompanion.work.measure import extract_and_split
from nlecompanion.work.places import place_of, place_tones
from nlecompanion.work.survey import survey
from nlecompanion.work.target import Target
from nlecompanion.work.treat import treat

_PIECE_S = 60


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor seconds of the chain for a second of sound; the process's largest resident size."""

    minutes: float
    times_real_time: float
    peak_mib: float


def costs(minutes: Sequence[float]) -> list[Cost]:
    """One process a length, so that none inherits the other's memory."""
    found = []
    for length in minutes:
        done = subprocess.run(
            [sys.executable, __file__, str(length)], check=True, capture_output=True, text=True
        )
        found.append(Cost(**json.loads(done.stdout)))
    return found


def measure(minutes: float) -> Cost:
    """Speech over noise, split by `dsp`, which costs least."""
    from nlecompanion.plugins import engine_factory

    engine, profile = engine_factory("dsp").create(), load_profile("exposed")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sound = _write(folder / "made.wav", round(minutes * 60))
        length_s = Fraction(round(minutes * 60))
        region = stretch(sound, Fraction(0), length_s, Fraction(0), "made")
        take, voice = (
            stack.enter_context(ScratchAudio.create(folder / name, RATE_HZ, 1))
            for name in ("take.f32", "voice.f32")
        )
        measured = extract_and_split(region, engine, take, voice, lambda _: None)
        decision = decide(region, measured, take.read, voice.read, profile)
        tone = place_tones([survey(region)], lambda _: None)[place_of(region)]
        target = Target(folder / "out.wav", folder / "out.wav", folder)
        started_s = time.process_time()
        treat(region, measured, decision, engine, profile, take, voice, target, tone)
        taken_s = time.process_time() - started_s
    return Cost(minutes, taken_s / float(length_s), _peak_kib() / 1024)


def _peak_kib() -> int:
    """Of this program alone: `ru_maxrss` starts with what the process that began it held."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (line,) = (row for row in status.read_text().splitlines() if row.startswith("VmHWM"))
    return int(line.split()[1])


def _write(path: Path, seconds: int) -> Path:
    piece = speech(min(seconds, _PIECE_S))
    with soundfile.SoundFile(path, "w", RATE_HZ, 1, "PCM_16", format="RF64") as file:
        for start in range(0, seconds, _PIECE_S):
            file.write(piece[: (seconds - start) * RATE_HZ])
    return path


if __name__ == "__main__":
    print(json.dumps(asdict(measure(float(sys.argv[1])))))
