"""The fault table: each fault done for real to the daemon, and what was lost by it.

    python tests/benchmarks/faults.py [--kills N] [--tries N] [--copies N] [--soak-minutes N]
                                      [--only FAULT …] [--json]

`lost` counts documents without a delivery at the end, `doubled` deliveries made twice,
`half_written` whatever stands under a final name and is not whole, or was left behind. All of them
must be zero. The daemons are real processes (Linux) that do real work by the engine `dsp`; the last
faults drive the daemon with a clock of their own. The soak counts what was left behind in memory
(above 5 %), handles, threads and temporary files as half-written.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.faults_clocked import clock_jumps, dropped_at_once, slow_copies
from benchmarks.faults_field import Count, Nursery
from benchmarks.faults_kinds import (
    forbidden,
    killed,
    no_space,
    reader_killed,
    terminated,
    unmounted,
)
from benchmarks.faults_processes import idle, job_hung, job_killed, worker_killed
from benchmarks.faults_soak import soak

REAL: dict[str, tuple[str, Callable[[Nursery, int, random.Random], Count]]] = {
    "killed": ("kill -9 at a random moment", killed),
    "no_space": ("disk full after a random number of bytes", no_space),
    "unmounted": ("media folder away during the work, then back", unmounted),
    "forbidden": ("inbox, media, working or done closed to us, then open", forbidden),
    "terminated": ("SIGTERM during the work", terminated),
    "reader_killed": ("reader of documents killed", reader_killed),
    "job_killed": ("process of the job killed or crashed", job_killed),
    "job_hung": ("process of the job hanging", job_hung),
    "worker_killed": ("one of two workers killed or crashed", worker_killed),
}
CLOCKED: dict[str, tuple[str, Callable[[int, random.Random], Count]]] = {
    "clock_jumps": ("clock jumping by up to a year", clock_jumps),
    "dropped_at_once": ("timelines dropped at once", dropped_at_once),
    "slow_copies": ("slowly written and truncated copies", slow_copies),
}
#: How many documents the clocked faults take.
_IDLE_S = 30.0
_DOCUMENTS = {"clock_jumps": 200, "dropped_at_once": 1000}


def table(
    kills: int, tries: int, copies: int, soak_s: float, only: list[str], seed: int
) -> dict[str, Count]:
    """The count of each fault, by its name."""
    found: dict[str, Count] = {}
    with Nursery() as nursery:
        for name, (_, fault) in REAL.items():
            if not only or name in only:
                number = kills if name == "killed" else tries
                found[name] = _timed(name, partial(fault, nursery, number, random.Random(seed)))
        if not only or "soak" in only:
            found["soak"] = _timed("soak", partial(soak, soak_s, random.Random(seed)))
            found["soak"].told += idle(nursery, _IDLE_S)
    for name, (_, clocked) in CLOCKED.items():
        if not only or name in only:
            number = _DOCUMENTS.get(name, copies)
            found[name] = _timed(name, partial(clocked, number, random.Random(seed)))
    return found


def _timed(name: str, fault: Callable[[], Count]) -> Count:
    from_s = time.monotonic()
    try:
        count = fault()
    except PermissionError as error:
        count = Count(told=[f"not tried: {error}"])
    figures = {key: value for key, value in vars(count).items() if value}
    print(f"{name}: {time.monotonic() - from_s:.0f} s, {figures}", file=sys.stderr, flush=True)
    return count


def _told(found: dict[str, Count]) -> str:
    titles = {name: title for name, (title, _) in [*REAL.items(), *CLOCKED.items()]}
    titles["soak"] = "mixed work with faults, what is left"
    lines = ["| fault | times tried | lost | doubled | half-written |", "|---|---|---|---|---|"]
    for name, count in found.items():
        numbers = (count.tried, count.lost, count.doubled, count.half_written)
        lines.append(f"| {titles[name]} | {' | '.join(map(str, numbers))} |")
        lines += [f"  {line}" for line in count.told]
        if count.slowest_resume_s:
            lines.append(f"  the slowest resume took {count.slowest_resume_s:.1f} s")
    return "\n".join(lines)


def main() -> int:
    """Prints the table; 1 where a number in it is not zero."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--tries", type=int, default=20, help="of every other real fault")
    parser.add_argument("--copies", type=int, default=10_000, help="slowly written ones")
    parser.add_argument("--soak-minutes", type=float, default=10)
    parser.add_argument("--only", nargs="*", default=[], choices=[*REAL, "soak", *CLOCKED])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", dest="as_json")
    chosen = parser.parse_args()
    soak_s = 60 * chosen.soak_minutes
    found = table(chosen.kills, chosen.tries, chosen.copies, soak_s, chosen.only, chosen.seed)
    if chosen.as_json:
        print(json.dumps({name: vars(count) for name, count in found.items()}, indent=1))
    else:
        print(_told(found))
    return int(any(c.lost or c.doubled or c.half_written for c in found.values()))


if __name__ == "__main__":
    sys.exit(main())
