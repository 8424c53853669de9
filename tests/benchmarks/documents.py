"""Holds any folder of documents to the contract: a line a document, then what documents cost.

    python tests/benchmarks/documents.py --corpus DIR [--json] [--sound 20] [--no-cost] [--fuzz N]

Each document is read in a child process and conformed with a made-up plan, and every numbered check
of the contract suite is run on it; the first `--sound` documents with dialogue are conformed by the
whole pipeline too, with stand-in media of real speech, the cleaned sound compared with the truth by
samples. The exit code is 1 where something crashed or a check was not held. With `--fuzz N`, N
damaged documents of each format are tried instead (`fuzz.py`).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.documents_checks import HELD, NOT_CHECKED, checks_of
from benchmarks.documents_cost import costs
from benchmarks.fuzz import COUNT, report, tallies

from nlecompanion.errors import DocumentError, NleCompanionError
from nlecompanion.plugins import adapter_for
from nlecompanion.settings import Profile
from nlecompanion.timeline.choice import choose
from nlecompanion.timeline.uses import read_uses

BUNDLES = (".fcpxmld", ".otiod")
NOT_DOCUMENTS = (".md", ".tsv", ".csv", ".dtd", ".py")
MIN_USE_S = Fraction(Profile().min_use_s)
LIMIT_S = 300


@dataclass
class Row:
    """What became of one document. `checks` by number; `refused` and `crash` are sentences."""

    document: str
    format: str = ""
    uses: int = 0
    dialogue: int = 0
    refused: str = ""
    crash: str = ""
    checks: dict[str, str] = field(default_factory=dict)
    sound: str = ""
    sound_held: bool | None = None

    @property
    def failed(self) -> list[str]:
        """The checks that were not held, by number."""
        wrong = [n for n, text in self.checks.items() if text not in (HELD, NOT_CHECKED)]
        return [*wrong, "sound"] if self.sound_held is False else wrong

    def __str__(self) -> str:
        parts = [f"read as {self.format}, {self.uses} uses, {self.dialogue} dialogue"]
        if not self.format or (self.refused and not self.uses):
            parts = []
        if self.refused:
            parts.append(f"refused: {self.refused}")
        if self.crash:
            parts.append(f"CRASH {self.crash}")
        parts += [f"{number} {text}" for number, text in self.checks.items()]
        if self.sound:
            parts.append(f"sound {self.sound}")
        return f"{self.document}: {'; '.join(parts)}"


def documents(corpus: Path) -> Iterator[Path]:
    """Files that may be documents, and bundles, in order of their paths."""
    for path in sorted(corpus.rglob("*")):
        below = path.relative_to(corpus)
        if any(part.startswith(".") for part in below.parts):
            continue
        if any(parent.suffix.casefold() in BUNDLES for parent in below.parents):
            continue
        bundle = path.is_dir() and path.suffix.casefold() in BUNDLES
        if bundle or (path.is_file() and path.suffix.casefold() not in NOT_DOCUMENTS):
            yield path


def examine(path: Path, label: str) -> Row:
    """Reads the document and runs the checks; what is unexpected becomes the row's `crash`."""
    row = Row(label)
    try:
        adapter = adapter_for(path)
        row.format = adapter.name
        uses = choose(read_uses(adapter.read(path)), (), MIN_USE_S)
        row.uses = len(uses)
        row.dialogue = sum(use.left_alone is None for use in uses)
        row.checks = checks_of(adapter.name, path)
    except DocumentError as error:
        row.refused = str(error)
    except Exception as error:  # a crash is what this program is there to find
        row.crash = _crash(error)
    return row


def listen(path: Path, row: Row, most_s: float) -> Row:
    """Adds what the cleaned sound is like, after a run of the whole pipeline."""
    from benchmarks.documents_sound import hear

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        document = folder / "in" / path.name
        document.parent.mkdir()
        shutil.copytree(path, document) if path.is_dir() else shutil.copyfile(path, document)
        try:
            heard = hear(row.format, document, folder, most_s)
        except NleCompanionError as error:
            row.sound, row.sound_held = f"refused: {error}", False
        except Exception as error:  # as above
            row.crash = _crash(error)
        else:
            verdict = f"{len(heard.off)} wrong" if heard.off else "held"
            parts = [f"{verdict}, {heard.compared} cleaned", *heard.off[:3], heard.note]
            row.sound = ", ".join(part for part in parts if part)
            if not heard.compared and not heard.off:
                row.sound = f"- {heard.note}"
            row.sound_held = not heard.off if heard.compared or heard.off else None
    return row


def _crash(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


class Child:
    """One process for all documents; a new one where a document killed it or took too long."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def examine(self, path: Path, label: str) -> Row:
        """`examine` over there."""
        return self._row(Row(label), examine, path, label)

    def listen(self, path: Path, row: Row, most_s: float) -> Row:
        """`listen` over there."""
        return self._row(row, listen, path, row, most_s)

    def _row(self, row: Row, work: object, *arguments: object) -> Row:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(max_workers=1, mp_context=context)
        try:
            done: Row = self._pool.submit(work, *arguments).result(LIMIT_S)  # type: ignore[arg-type]
        except TimeoutError:
            row.crash = f"TimeoutError: not done after {LIMIT_S} s"
            self.end()
        except BrokenProcessPool:
            row.crash = "BrokenProcessPool: the process died"
            self.end()
        else:
            return done
        return row

    def end(self) -> None:
        """Ends the process, whatever it does."""
        if self._pool is not None:
            for process in list((self._pool._processes or {}).values()):
                process.kill()
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


def examined(corpus: Path, sounds: int, most_s: float) -> Iterator[Row]:
    """A row for each document, as they are done."""
    child = Child()
    try:
        for path in documents(corpus):
            row = child.examine(path, path.relative_to(corpus).as_posix())
            if sounds and row.dialogue and row.checks and not row.crash:
                row = child.listen(path, row, most_s)
                sounds -= row.sound_held is not None
            yield row
    finally:
        child.end()


def summary(rows: list[Row]) -> dict[str, object]:
    """Counts over all documents."""
    failed: dict[str, int] = {}
    for row in rows:
        for number in row.failed:
            failed[number] = failed.get(number, 0) + 1
    return {
        "documents": len(rows),
        "read": sum(not row.refused and not row.crash for row in rows),
        "refused": sum(bool(row.refused) for row in rows),
        "crashed": sum(bool(row.crash) for row in rows),
        "with_dialogue": sum(row.dialogue > 0 for row in rows),
        "heard": sum(row.sound_held is not None for row in rows),
        "not_held": dict(sorted(failed.items())),
    }


def main() -> int:
    """Examines, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--sound", type=int, default=20, help="documents run on sound (0: none)")
    parser.add_argument(
        "--sound-seconds", type=float, default=600, help="the most that is worked on of a document"
    )
    parser.add_argument("--no-cost", action="store_true")
    parser.add_argument(
        "--fuzz", type=int, metavar="N", help=f"try N damaged documents a format (usual: {COUNT})"
    )
    options = parser.parse_args()
    if not options.corpus.is_dir():
        parser.error(f"{options.corpus} is no folder")
    if options.fuzz:
        return report(tallies(options.corpus, options.fuzz, (), 1, None), options.json)
    rows = []
    for row in examined(options.corpus, options.sound, options.sound_seconds):
        rows.append(row)
        if not options.json:
            print(row, flush=True)
    result: dict[str, object] = {"summary": summary(rows)}
    if not options.no_cost:
        result["cost"] = costs()
    if options.json:
        every = [{**asdict(row), "failed": row.failed} for row in rows]
        print(json.dumps({"documents": every, **result}, indent=2, ensure_ascii=False))
    else:
        print(f"summary: {result['summary']}")
        for line in result.get("cost", ()):  # type: ignore[attr-defined]
            print(f"cost: {line}")
    return int(any(row.crash or row.failed for row in rows))


if __name__ == "__main__":
    sys.exit(main())
