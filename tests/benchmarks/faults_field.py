"""A watched folder with real timelines and media, real daemons, and what became of every drop."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import soundfile
from lxml import etree
from testkit.fcp7xml import Clip, Media, Track, premiere_xml
from testkit.speech import RATE_HZ, speech

from nlecompanion.watch.contract import SystemClock
from nlecompanion.watch.journal import Journal
from nlecompanion.watch.layout import existing
from nlecompanion.watch.status import JobStatus, read_status

_NURSERY = Path(__file__).with_name("faults_nursery.py")
_OPTIONS = "still_s = 0.2\nrescan_s = 1\npoll_s = 0.2\nretry_parked_s = 0.5\n"
_MEDIA_FRAMES, _FRAMES, _CLIPS, _CLIP_S = 62, 50, 2, 2.5
#: Each document has uses of its own length and place, so that no region is cached by another.
_SHORTER = 25
#: Far above what a job takes on a busy machine; reached only when something is broken.
PATIENCE_S = 900.0


class Nursery:
    """Starts and ends daemons through a process that has loaded the package."""

    def __init__(self) -> None:
        tests = _NURSERY.parents[1]
        paths = [str(tests.parent), str(tests), os.environ.get("PYTHONPATH", "")]
        self._process = subprocess.Popen(
            [sys.executable, str(_NURSERY)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )
        self._running: set[int] = set()
        self._read()

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE_S)
        self._process.stdout.close()

    def is_running(self, number: int) -> bool:
        """Whether a daemon has not ended, by itself or by us."""
        return number in self._running and self.exit_code(number) is None

    def start(
        self, folder: Path, log: Path, cache: Path, *, powers: bool = True, workers: int = 0
    ) -> int:
        """A daemon on the folder; gives its process number."""
        request = {"start": str(folder), "log": str(log), "cache": str(cache), "powers": powers}
        number = self._ask(request | {"workers": workers})
        assert isinstance(number, int)
        self._running.add(number)
        return number

    def end(self, number: int, kind: signal.Signals = signal.SIGTERM) -> float:
        """Ends a daemon; gives the seconds that it took."""
        from_s = time.monotonic()
        os.kill(number, kind)
        while self.exit_code(number) is None:
            if time.monotonic() - from_s > PATIENCE_S:
                raise AssertionError(f"the daemon did not end within {PATIENCE_S:g} s")
            time.sleep(0.005)
        return time.monotonic() - from_s

    def exit_code(self, number: int) -> int | None:
        """How it ended; None while it runs."""
        code = self._ask({"wait": number})
        if code is not None:
            self._running.discard(number)
        return code

    def _ask(self, request: dict[str, Any]) -> int | None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> int | None:
        assert self._process.stdout is not None
        answer = json.loads(self._process.stdout.readline())
        assert answer is None or isinstance(answer, int)
        return answer


@dataclass
class Count:
    """What went wrong, in numbers that must all be zero; `told` says each in a line."""

    tried: int = 0
    lost: int = 0
    doubled: int = 0
    half_written: int = 0
    slowest_resume_s: float = 0.0
    told: list[str] = field(default_factory=list)

    def add(self, other: Count) -> None:
        """Another run's numbers."""
        self.tried += other.tried
        self.lost += other.lost
        self.doubled += other.doubled
        self.half_written += other.half_written
        self.slowest_resume_s = max(self.slowest_resume_s, other.slowest_resume_s)
        self.told += other.told


class Field:
    """One watched folder; `root` may lie on a disk of its own, the media lie outside of it."""

    def __init__(
        self, nursery: Nursery, root: Path, media: Path, log: Path, workers: int = 0
    ) -> None:
        self.root, self.media, self.log = root, media, log
        self.cache = media.with_name("cache")
        self._workers = workers
        self._nursery = nursery
        self._sent: dict[str, str] = {}
        (root / "inbox").mkdir(parents=True)
        (root / "watch.toml").write_text(_OPTIONS)
        self._takes = make_takes(media)

    def drop(self, name: str) -> Path:
        """A timeline of its own with two uses, each of another file, and regions of its own."""
        later, first = divmod(len(self._sent), _MEDIA_FRAMES - _FRAMES)
        end = _FRAMES - later % _SHORTER
        clips = tuple(
            Clip(
                Media(take, Fraction(25), _MEDIA_FRAMES, picture=False), n * 60, n * 60 + end, first
            )
            for n, take in enumerate(self._takes)
        )
        content = premiere_xml((Track(clips, "Dialogue"),), Fraction(25), name)
        path = self.root / "inbox" / f"{name}.xml"
        partial = self.root / "inbox" / f".{name}.partial"
        partial.write_bytes(content)
        partial.rename(path)
        self._sent[name] = hashlib.sha256(content).hexdigest()
        return path

    @contextmanager
    def daemon(self, *, powers: bool = True) -> Iterator[int]:
        """A daemon while the context lasts; what already has ended is left alone."""
        number = self._nursery.start(
            self.root, self.log, self.cache, powers=powers, workers=self._workers
        )
        try:
            yield number
        finally:
            if self._nursery.is_running(number):
                self._nursery.end(number)

    def jobs(self) -> list[JobStatus]:
        """The rows of the journal; none where there is no journal yet."""
        if not (self.root / ".nlecompanion" / "journal.sqlite3").exists():
            return []
        places = existing(self.root, None)
        with Journal(places.journal, SystemClock()) as journal:
            return list(read_status(places, journal).jobs)

    def wait(self, until: Callable[[list[JobStatus]], bool], what: str) -> list[JobStatus]:
        """Until the jobs are so."""
        from_s = time.monotonic()
        while not until(jobs := self.jobs()):
            if time.monotonic() - from_s > PATIENCE_S:
                states = [(job.document, job.state.value, job.message) for job in jobs]
                raise AssertionError(f"{what} did not come within {PATIENCE_S:g} s: {states}")
            time.sleep(0.02)
        return jobs

    def wait_until_started(self) -> None:
        """Until the daemon has made its folders."""
        self.wait(lambda _: (self.root / "working").is_dir(), "start")

    def wait_until_done(self) -> None:
        """Until every document that was dropped is done."""
        self.wait(
            lambda jobs: [j.state.value for j in jobs].count("done") == len(self._sent), "done"
        )

    def wait_for_state(self, *states: str) -> None:
        """Until some job is in one of the states."""
        self.wait(lambda jobs: any(job.state.value in states for job in jobs), " or ".join(states))

    def begun(self) -> int:
        """How often work has begun, on any document."""
        return sum(job.attempts for job in self.jobs())

    def wait_for_begin(self, before: int, until_s: float) -> bool:
        """Until work has begun since `begun` gave `before`; false at that monotonic moment."""
        while self.begun() == before:
            if time.monotonic() >= until_s:
                return False
            time.sleep(0.02)
        return True

    def is_at_work(self) -> bool:
        """Whether a job is worked on."""
        return any(job.state.value == "working" for job in self.jobs())

    def most_attempts(self) -> int:
        """How often the document that was begun most often was begun."""
        return max(job.attempts for job in self.jobs())

    def half_written(self) -> list[str]:
        """What stands under a final name, or in `failed`, and is not whole."""
        faults = [fault for folder in self._deliveries() if (fault := _fault(folder)) is not None]
        failed = self.root / "failed"
        if failed.is_dir():
            faults += [f"failed/{p.name}" for p in failed.iterdir() if p.name.endswith(".partial")]
        return faults

    def count(self, tried: int, *, ended: bool = True) -> Count:
        """Everything that was dropped, held against everything that was delivered."""
        count = Count(tried, told=self.half_written())
        count.half_written = len(count.told)
        delivered: dict[str, list[str]] = {}
        for folder in self._deliveries():
            if _fault(folder) is None:
                told = json.loads((folder / "receipt.json").read_text())
                delivered.setdefault(told["document"]["sha256"], []).append(folder.name)
        for name, sha256 in self._sent.items():
            folders = delivered.get(sha256, [])
            count.doubled += max(0, len(folders) - 1)
            if len(folders) > 1:
                count.told.append(f"{name} was delivered as {folders}")
            if not folders and ended:
                count.lost += 1
                count.told.append(f"{name} was not delivered")
        if ended and (left := sorted(p.name for p in (self.root / "working").iterdir())):
            count.half_written += len(left)
            count.told.append(f"left in working/: {left}")
        return count

    def _deliveries(self) -> list[Path]:
        done = self.root / "done"
        return sorted(done.iterdir()) if done.is_dir() else []


def make_takes(media: Path) -> list[Path]:
    """Two short stereo recordings of speech over noise."""
    media.mkdir(parents=True, exist_ok=True)
    takes = [media / f"take {number}.wav" for number in range(_CLIPS)]
    for number, take in enumerate(takes):
        if not take.exists():
            soundfile.write(take, speech(_CLIP_S, 2, seed=number), RATE_HZ, "PCM_16")
    return takes


def _fault(folder: Path) -> str | None:
    """Why a delivery is not whole: receipt, timeline, and both clips from end to end."""
    try:
        json.loads((folder / "receipt.json").read_text())
        etree.parse(folder / f"{folder.name} clean.xml")
        clips = sorted((folder / "clips").glob("take ? DX.wav"))
        if len(clips) != _CLIPS:
            return f"{folder.name} holds {len(clips)} clips instead of {_CLIPS}"
        for clip in clips:
            samples, _ = soundfile.read(clip)
            if len(samples) != round(_CLIP_S * RATE_HZ):
                return f"{folder.name}/clips/{clip.name} has {len(samples)} samples"
    except (OSError, ValueError, etree.XMLSyntaxError, soundfile.LibsndfileError) as error:
        return f"{folder.name}: {error}"
    return None
