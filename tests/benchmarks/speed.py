"""How fast, how large, how steady: our engine and whole run beside other tools, and how it scales.

    python tests/benchmarks/speed.py [--json] [--only engines,memory,uses,drift]
        [--seconds 60] [--rounds 5] [--hours 8] [--region-minutes 10] [--uses 10,100,1000,10000]
        [--peers PYTHON] [--weights DIR]

`engines`: the same speech in noise, stereo, one thread, each system in a process of its own, all
of them in turn in every round. `memory`: peaks with a minute's media and with hours' (sparse
files: no room is needed). `uses`: more and more uses of 2 s, each with sound of its own. `drift`:
24 hours of 29.97 drop-frame. `--peers` is the interpreter of an environment with `pip install
pyrnnoise noisereduce soundfile`; `--weights` the folder that holds `DeepFilterNet3`. What is not
there is left out, with a sentence.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from benchmarks.speed_tables import (  # noqa: E402
    Machine,
    drift,
    memory,
    plain,
    side_by_side,
    uses,
)

PARTS = ("engines", "memory", "uses", "drift")


def main() -> None:
    """Measures and prints."""
    options = _options()
    machine = Machine(options.peers, options.weights)
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts: dict[str, Callable[[], Any]] = {
            "engines": lambda: _engines(machine, folder / "engines", options),
            "memory": lambda: memory(
                machine, folder / "memory", options.hours, options.region_minutes
            ),
            "uses": lambda: uses(machine, folder / "uses", options.uses),
            "drift": lambda: drift(machine, folder / "drift"),
        }
        for part in options.only:
            result[part] = parts[part]()
            if not options.json:
                _PRINT[part](result[part])
    if options.json:
        print(json.dumps(result, indent=2, default=plain))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", type=_parts, default=PARTS)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--hours", type=float, default=8)
    parser.add_argument("--region-minutes", type=float, default=10)
    parser.add_argument("--uses", type=_counts, default=(10, 100, 1000, 10_000))
    parser.add_argument("--peers", type=Path)
    shared = ROOT.parent / "shared" / "weights"
    parser.add_argument("--weights", type=Path, default=shared if shared.is_dir() else None)
    return parser.parse_args()


def _parts(text: str) -> tuple[str, ...]:
    parts = tuple(text.split(","))
    if unknown := set(parts) - set(PARTS):
        raise argparse.ArgumentTypeError(f"no such part: {', '.join(unknown)}; {', '.join(PARTS)}")
    return parts


def _counts(text: str) -> tuple[int, ...]:
    return tuple(int(count) for count in text.split(","))


def _engines(machine: Machine, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    rows, notes = side_by_side(machine, folder, options.seconds, options.rounds)
    return {"rows": rows, "left_out": notes, "rounds": options.rounds}


def _print_engines(found: dict[str, Any]) -> None:
    print(f"{'system':<14} {'real-time factor':>16} {'on the clock':>12} {'times ours':>22} "
          f"{'peak MiB':>8} {'start-up s':>10}")  # fmt: skip
    for row in found["rows"]:
        low, high = row.ratio_range
        print(
            f"{row.system:<14} {row.real_time_factor:>16.4f} {row.clock_factor:>12.4f} "
            f"{row.ratio:>8.2f} ({low:.2f} to {high:.2f}) {row.peak_mib:>8} {row.start_up_s:>10.2f}"
        )
    for note in found["left_out"]:
        print(note)


def _print_memory(found: dict[str, Any]) -> None:
    print(
        f"memory: {found['minute_mib']} MiB with a minute's media, {found['hours_mib']} MiB with "
        f"{found['hours']:g} hours' ({found['grows_percent']:+.1f} %); one region of "
        f"{found['region_minutes']:g} minutes {found['region_mib']} MiB"
    )


def _print_uses(found: dict[str, Any]) -> None:
    for row in found["rows"]:
        print(
            f"{row['uses']:>7} uses, {row['cleaned']} cleaned: {row['processor_s']:.2f} s, "
            f"{row['peak_mib']} MiB"
        )
    if "a_use_s" in found:
        print(
            f"fit: {found['fixed_s']} s + {found['a_use_s']} s a use; the furthest point lies "
            f"{found['furthest_off_percent']} % off"
        )


def _print_drift(found: dict[str, Any]) -> None:
    print(
        f"24 h of 29.97 drop-frame: {found['found_again']} of {found['uses']} uses found again, "
        f"most {found['most_frames']} frames and {found['most_samples']} samples off; the last "
        f"ends at frame {found['last_use_ends_at_frame']}"
    )


_PRINT: dict[str, Callable[[dict[str, Any]], None]] = {
    "engines": _print_engines,
    "memory": _print_memory,
    "uses": _print_uses,
    "drift": _print_drift,
}


if __name__ == "__main__":
    main()
