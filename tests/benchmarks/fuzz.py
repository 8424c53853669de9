"""Damaged documents, media, scripts, settings: each must end in a result or a typed error, in time.

    python tests/benchmarks/documents.py --corpus DIR --fuzz 5000
    python tests/benchmarks/fuzz.py --corpus DIR [--count 5000] [--formats fcpxml edl] [--seed 1]

The corpus's documents of each format, and those that the tests make, are damaged at random places
(`testkit.mutate`; AAFs in their bytes and in what they say, `testkit.aaf_damage`), read, conformed
with a made-up plan where they can be read, and what comes out is read again; media inside them are
taken out. The other readers of bytes from outside are in `fuzz_parsers`, which needs no corpus.
Each format has a process of its own: one that dies is a crash like any other. What goes wrong is
kept in `--keep DIR`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.fuzz_parsers import PARSERS
from testkit import aaf_damage
from testkit.contract import CASES, made_up_plan
from testkit.edl import CUT_25
from testkit.mutate import mutated

from nlecompanion.errors import DocumentError, NleCompanionError
from nlecompanion.media.essence import extract_essence
from nlecompanion.plugins import adapter_for, adapters
from nlecompanion.timeline.contract import timeline_facts
from nlecompanion.timeline.uses import read_uses

COUNT = 5000
#: Longer than any honest document of the corpus takes, on a busy machine.
LIMIT_S = 20
#: Larger documents take long to read and find nothing that smaller ones do not.
LARGEST_BYTES = 400_000
#: An AAF without a clip has 230,000 bytes of definitions.
LARGEST_AAF_BYTES = 600_000
_COMPOUND_FILE = bytes.fromhex("d0cf11e0a1b11ae1")
_TOLD = 20


class TooLong(BaseException):
    """The time limit; no `except Exception` may swallow it."""


@dataclass
class Tally:
    """What became of one format's damaged documents; `crashes` are sentences."""

    format: str
    seeds: int = 0
    read: int = 0
    conformed: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    crashes: list[str] = field(default_factory=list)
    slowest_s: float = 0.0

    def __str__(self) -> str:
        errors = ", ".join(f"{name} {count}" for name, count in sorted(self.errors.items()))
        return (
            f"{self.format}: {self.read} read, {self.conformed} of them conformed; {errors}; "
            f"slowest {self.slowest_s:.2f} s; {len(self.crashes)} crashed or hung"
        )


def seeds_of(corpus: Path | None) -> dict[str, list[tuple[str, bytes]]]:
    """What is to be damaged, as (name, bytes), by format or parser."""
    found = {name: parser.seeds() for name, parser in PARSERS.items()}
    for path in sorted(corpus.rglob("*")) if corpus is not None else ():
        largest_bytes = LARGEST_AAF_BYTES if path.suffix.lower() == ".aaf" else LARGEST_BYTES
        if not path.is_file() or path.stat().st_size > largest_bytes:
            continue
        try:
            name = adapter_for(path).name
        except DocumentError:
            continue
        found.setdefault(name, []).append((path.name, path.read_bytes()))
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            path = case.write(Path(folder))
            if path.is_file():
                found.setdefault(case.format, []).append((path.name, path.read_bytes()))
    found.setdefault("edl", []).append(("cut.edl", CUT_25.encode()))
    return found


def _too_long(*_: object) -> NoReturn:
    raise TooLong(f"not done after {LIMIT_S} s")


def try_one(format_name: str, path: Path, tally: Tally) -> None:
    """Reads, conforms and reads again, takes media out; other than typed errors come through."""
    try:
        if format_name in PARSERS:
            PARSERS[format_name].read(path)
            tally.read += 1
        else:
            _try_document(format_name, path, tally)
    except NleCompanionError as error:
        name = type(error).__name__
        tally.errors[name] = tally.errors.get(name, 0) + 1
        if "\n" in str(error):
            raise AssertionError(f"{name} is not one line: {str(error)[:200]!r}") from error
        if format_name not in PARSERS and not isinstance(error, DocumentError):
            raise


def _try_document(format_name: str, path: Path, tally: Tally) -> None:
    adapter = adapters()[format_name]
    timeline = adapter.read(path)
    uses, facts = read_uses(timeline), timeline_facts(timeline)
    tally.read += 1
    plan = made_up_plan(uses, f"{facts.name or 'Timeline'} clean")
    target = path.with_name(f"delivered{path.suffix}")
    adapter.patch(path, plan, target)
    read_uses(adapter.read(target))
    tally.conformed += 1
    extract_essence(path, {use.media_url for use in uses}, path.parent / "inside")


def _run(
    name: str, seeds: Sequence[tuple[str, bytes]], numbers: range, seed: int, to: Connection
) -> None:
    """The work of one process: sends the number of each document before it is tried."""
    signal.signal(signal.SIGALRM, _too_long)
    tally = Tally(name, len(seeds))
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            to.send(("at", number))
            crash = _try_number(name, seeds, number, seed, Path(folder), tally)
            if crash is not None:
                to.send(("crash", (number, crash)))
        to.send(("done", tally))


def _try_number(
    name: str,
    seeds: Sequence[tuple[str, bytes]],
    number: int,
    seed: int,
    folder: Path,
    tally: Tally,
) -> str | None:
    file_name, data = damaged(name, seeds, number, seed)
    path = folder / f"damaged{Path(file_name).suffix}"
    path.write_bytes(data)
    start_s = time.perf_counter()
    signal.alarm(LIMIT_S)
    try:
        try_one(name, path, tally)
    except (Exception, TooLong) as error:  # what this program is there to find
        return (
            f"{file_name} #{number}: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
        )
    finally:
        signal.alarm(0)
        tally.slowest_s = max(tally.slowest_s, time.perf_counter() - start_s)
    return None


def damaged(
    kind: str, seeds: Sequence[tuple[str, bytes]], number: int, seed: int
) -> tuple[str, bytes]:
    """The document of that number: always the same one for the same seed."""
    chance = random.Random(seed * 1_000_003 + number)
    name, data = seeds[number % len(seeds)]
    if kind in PARSERS:
        return name, PARSERS[kind].damage(data, chance)
    if not data.startswith(_COMPOUND_FILE):
        return name, mutated(data, chance)
    damage = chance.choice((aaf_damage.damaged, aaf_damage.retold))
    return name, damage(data, chance)


def fuzz(
    name: str, seeds: Sequence[tuple[str, bytes]], count: int, seed: int, keep: Path | None
) -> Tally:
    """Tries `count` damaged documents of one format, in a new process after each that died."""
    context = multiprocessing.get_context("spawn")
    total = Tally(name, len(seeds))
    first = 0
    while first < count:
        receiver, sender = context.Pipe(duplex=False)
        work = range(first, count)
        process = context.Process(target=_run, args=(name, list(seeds), work, seed, sender))
        process.start()
        sender.close()
        last, died = _listen(receiver, total, seeds, seed, keep, first)
        process.join()
        if died:
            crash = f"#{last}: the process died with exit code {process.exitcode}"
            _note(total, crash, last, seeds, seed, keep)
        first = last + 1
    return total


def _listen(
    receiver: Connection,
    total: Tally,
    seeds: Sequence[tuple[str, bytes]],
    seed: int,
    keep: Path | None,
    first: int,
) -> tuple[int, bool]:
    """The last document that was tried, and whether the process died over it."""
    last = first
    while True:
        try:
            kind, what = receiver.recv()
        except EOFError:
            return last, True
        if kind == "at":
            last = what
        elif kind == "crash":
            _note(total, what[1], what[0], seeds, seed, keep)
        else:
            _add(total, what)
            return last, False


def _note(
    total: Tally,
    crash: str,
    number: int,
    seeds: Sequence[tuple[str, bytes]],
    seed: int,
    keep: Path | None,
) -> None:
    total.crashes.append(crash)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        file_name, data = damaged(total.format, seeds, number, seed)
        (keep / f"{total.format}-{number}{Path(file_name).suffix}").write_bytes(data)


def _add(total: Tally, more: Tally) -> None:
    total.read += more.read
    total.conformed += more.conformed
    total.errors = dict(Counter(total.errors) + Counter(more.errors))
    total.slowest_s = max(total.slowest_s, more.slowest_s)


def tallies(
    corpus: Path | None, count: int, formats: Sequence[str], seed: int, keep: Path | None
) -> Iterator[Tally]:
    """A tally for each format that has documents, as they are done."""
    for name, seeds in sorted(seeds_of(corpus).items()):
        if not formats or name in formats:
            yield fuzz(name, seeds, count, seed, keep)


def report(found: Iterator[Tally], as_json: bool) -> int:
    """Prints the tallies; 1 where anything crashed or hung."""
    rows = []
    for tally in found:
        rows.append(tally)
        if not as_json:
            print(tally, flush=True)
            for crash in tally.crashes[:_TOLD]:
                print(f"  {crash}", flush=True)
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False))
    return int(any(row.crashes for row in rows))


def main() -> int:
    """Damages, tries and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, help="a folder of timelines to damage")
    parser.add_argument("--count", type=int, default=COUNT, help="damaged documents a format")
    parser.add_argument("--formats", nargs="*", default=[])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="where to keep what went wrong")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = tallies(options.corpus, options.count, options.formats, options.seed, options.keep)
    return report(found, options.json)


if __name__ == "__main__":
    sys.exit(main())
