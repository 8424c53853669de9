"""One system on one piece of sound, in a process of its own: what `speed.py` starts.

    python speed_child.py split SYSTEM FILE.wav
    python speed_child.py run ENGINE TIMELINE

It prints one line of JSON: seconds on the clock and of the processor for the sound alone,
processor seconds until the first second of sound had gone through (`start_up_s`), and the peak
resident size. It imports no more than its system needs, so that it can run in another environment.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]

RATE_HZ = 48_000
#: Takes float32 of shape (samples, channels) at 48 kHz and works it off.
Work = Callable[[Any], None]


def main() -> None:
    """Measures and prints."""
    what, system, path = sys.argv[1:4]
    measured = split(system, Path(path)) if what == "split" else run(system, Path(path))
    print(json.dumps(measured | {"peak_mib": _peak_kib() // 1024}))


def split(system: str, wav: Path) -> dict[str, float]:
    """The sound, already in memory, through a bare system."""
    import soundfile

    samples, _ = soundfile.read(wav, dtype="float32", always_2d=True)
    work = SYSTEMS.get(system, _ours(system))()
    work(samples[:RATE_HZ])
    start_up_s = time.process_time()
    start_s = time.perf_counter()
    work(samples)
    return {
        "clock_s": time.perf_counter() - start_s,
        "processor_s": time.process_time() - start_up_s,
        "start_up_s": start_up_s,
    }


def run(engine: str, document: Path) -> dict[str, Any]:
    """A whole run from timeline to delivery, with the programs that it starts."""
    from nlecompanion.engines.threads import settle_threads
    from nlecompanion.pipeline import Place
    from nlecompanion.pipeline import run as run_timeline
    from nlecompanion.settings import Settings

    _ours(engine)()
    settle_threads()
    start_up_s, start_s = time.process_time(), time.perf_counter()
    delivery = run_timeline(document, Settings(engine=engine), Place(document.parent))
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "clock_s": time.perf_counter() - start_s,
        "processor_s": time.process_time() - start_up_s + children.ru_utime + children.ru_stime,
        "start_up_s": start_up_s,
        "cleaned": delivery.cleaned,
        "largest_child_mib": children.ru_maxrss // 1024,
        "folder": None if delivery.folder is None else str(delivery.folder),
        "document": None if delivery.document is None else str(delivery.document),
    }


def _ours(name: str) -> Callable[[], Work]:
    """An engine of this package, through the same blocks as in a run."""

    def make() -> Work:
        from nlecompanion.plugins import engine_factories

        return _through(engine_factories()[name].create())

    return make


def _through(engine: Any) -> Work:
    from nlecompanion.engines.blocks import split_blocks
    from nlecompanion.engines.threads import settle_threads

    settle_threads()

    def work(samples: Any) -> None:
        for _ in split_blocks(
            engine,
            lambda start, end: samples[start:end],
            len(samples),
            RATE_HZ,
            samples.shape[1],
        ):
            pass

    return work


def _htdemucs() -> Work:
    """Demucs as large as the published htdemucs, with weights that mean nothing."""
    import torch
    from demucs.htdemucs import HTDemucs

    from nlecompanion.engines.demucs import Demucs

    torch.manual_seed(0)
    model = HTDemucs(["drums", "bass", "other", "vocals"], segment=Fraction(39, 5))
    return _through(Demucs([(model.eval(), 1.0)], "random"))


def _rnnoise() -> Work:
    import numpy as np

    rnnoise = import_module("pyrnnoise").RNNoise

    def work(samples: Any) -> None:
        whole = np.ascontiguousarray((samples.T * 32_767).astype(np.int16))
        for _ in rnnoise(RATE_HZ).denoise_chunk(whole, True):
            pass

    return work


def _noisereduce() -> Work:
    reduce_noise = import_module("noisereduce").reduce_noise

    def work(samples: Any) -> None:
        reduce_noise(y=samples.T, sr=RATE_HZ, n_jobs=1)

    return work


SYSTEMS: dict[str, Callable[[], Work]] = {
    "htdemucs": _htdemucs,
    "rnnoise": _rnnoise,
    "noisereduce": _noisereduce,
}


def _peak_kib() -> int:
    """Linux keeps the parent's peak in `ru_maxrss` across exec; VmHWM starts anew."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lines = status.read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


if __name__ == "__main__":
    main()
