"""The faults, each done for real to a daemon that does real work."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.faults_field import Count, Field, Nursery

#: Longer than any job of the field takes on a busy machine: a kill falls anywhere in it.
_JOB_S = 8.0
#: Tries of one document, after which there is more time for the next ones.
_PATIENCE = 5
_SIGTERM_S = 30.0
_DISK_BYTES = 64 << 20
#: A delivery of the field with its scratch files needs less than this.
_NEED_BYTES = 24 << 20


@contextmanager
def field(nursery: Nursery) -> Iterator[Field]:
    """A field in a folder of its own, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        room = Path(name)
        yield Field(nursery, room / "watched", room / "media", room / "log")


def killed(nursery: Nursery, tries: int, chance: random.Random) -> Count:
    """kill -9 of the daemon at random moments, one after another on the same folder.

    A moment is drawn from the length of a job that was let through, start of the daemon and all;
    where the machine has become so busy that a document gets no further, from a longer one, and
    from a shorter one where the job was done long before.
    """
    count = Count()
    with field(nursery) as watched:
        watched.drop("scene 0")
        from_s = time.monotonic()
        with watched.daemon():
            watched.wait_until_done()
        job_s, documents = time.monotonic() - from_s, 0
        for _ in range(tries):
            jobs = watched.jobs()
            if not any(job.state.value in ("seen", "stable", "working") for job in jobs):
                documents += 1
                watched.drop(f"scene {documents}")
            elif jobs[-1].attempts % _PATIENCE == _PATIENCE - 1:
                job_s *= 1.5
            has_begun = any(job.state.value in ("stable", "working") for job in jobs)
            begun = watched.begun()
            from_s, until_s = time.monotonic(), time.monotonic() + chance.uniform(0, job_s)
            with watched.daemon() as daemon:
                if has_begun and watched.wait_for_begin(begun, until_s):
                    resumed_s = time.monotonic() - from_s
                    count.slowest_resume_s = max(count.slowest_resume_s, resumed_s)
                if _idle_before(watched, documents + 1, until_s):
                    job_s = min(job_s, 1.2 * (time.monotonic() - from_s))
                nursery.end(daemon, signal.SIGKILL)
            told = [f"after a kill: {line}" for line in watched.half_written()]
            count.half_written += len(told)
            count.told += told
        with watched.daemon():
            watched.wait_until_done()
        count.add(watched.count(tries))
        count.told.append(f"{documents} documents, at most {watched.most_attempts()} tries of one")
    return count


def _idle_before(watched: Field, documents: int, until_s: float) -> bool:
    """Waits for the moment, or for all jobs to be done: a daemon that idles need not be killed."""
    while time.monotonic() < until_s:
        if [job.state.value for job in watched.jobs()] == ["done"] * documents:
            return True
        time.sleep(0.05)
    return False


def no_space(nursery: Nursery, tries: int, chance: random.Random) -> Count:
    """A disk of its own that is full after a random number of bytes, and has room again later.

    Every fourth time it holds the cache of regions alone, else the whole watched folder: journal,
    staging, deliveries and lines.

    Raises:
        PermissionError: this user may not mount a file system in memory.
    """
    count = Count()
    for number in range(tries):
        with tempfile.TemporaryDirectory(prefix="faults-") as name, _small_disk(Path(name)) as disk:
            of_cache = number % 4 == 3
            root = Path(name) / "watched" if of_cache else disk / "watched"
            watched = Field(nursery, root, Path(name) / "media", Path(name) / "log")
            if of_cache:
                watched.cache = disk / "cache"
            with watched.daemon():
                watched.wait_until_started()
                free = chance.randrange(_NEED_BYTES >> 4 if of_cache else _NEED_BYTES)
                filler = disk / "filler"
                with filler.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, max(1, _free_bytes(disk) - free))
                try:
                    watched.drop("scene")
                except OSError:  # not even room for the document itself
                    filler.unlink()
                    watched.drop("scene")
                _wait_a_while(watched, "parked", "done", seconds=_JOB_S * 3)
                count.told += watched.half_written()
                filler.unlink(missing_ok=True)
                watched.wait_until_done()
            count.add(watched.count(1))
    return count


def unmounted(nursery: Nursery, tries: int, chance: random.Random) -> Count:
    """The media's folder goes away at a random moment of the work, and comes back later.

    It is unmounted where this user may mount, and renamed every other time.
    """
    count = Count()
    for number in range(tries):
        with field(nursery) as watched, _attached(watched.media, number) as (detach, attach):
            watched.drop("scene")
            with watched.daemon():
                watched.wait_for_state("working")
                time.sleep(chance.uniform(0, _JOB_S / 2))
                detach()
                _wait_a_while(watched, "parked", "done", seconds=_JOB_S * 2)
                attach()
                watched.wait_until_done()
            count.add(watched.count(1))
    return count


@contextmanager
def _attached(
    media: Path, number: int
) -> Iterator[tuple[Callable[[], object], Callable[[], object]]]:
    """How the folder is taken away and brought back."""
    away = media.with_name("unmounted")

    def mount() -> bool:
        command = ["mount", "--bind", str(away), str(media)]
        return subprocess.run(command, capture_output=True).returncode == 0

    def unmount() -> None:
        subprocess.run(["umount", "--lazy", str(media)], check=True)

    if number % 2 == 0:
        media.rename(away)
        media.mkdir()
        if mount():
            try:
                yield unmount, mount
            finally:
                unmount()
            return
        media.rmdir()
        away.rename(media)
    yield lambda: media.rename(away), lambda: away.rename(media)


def forbidden(nursery: Nursery, tries: int, chance: random.Random) -> Count:
    """A folder that may not be read or written any more at a random moment, and may again later."""
    count = Count()
    for _ in range(tries):
        with field(nursery) as watched:
            watched.drop("scene")
            with watched.daemon(powers=False):
                watched.wait_for_state("seen", "stable", "working")
                time.sleep(chance.uniform(0, _JOB_S / 2))
                place = watched.root / chance.choice(["inbox", "working", "done", "../media"])
                place.chmod(0)
                _wait_a_while(watched, "parked", "done", seconds=_JOB_S)
                place.chmod(0o755)
                watched.wait_until_done()
            count.add(watched.count(1))
    return count


def terminated(nursery: Nursery, tries: int, chance: random.Random) -> Count:
    """SIGTERM at a random moment; within 30 s the daemon must be gone, its job put back or done."""
    count = Count()
    with field(nursery) as watched:
        for number in range(tries):
            watched.drop(f"scene {number}")
            with watched.daemon() as daemon:
                watched.wait_for_state("working")
                time.sleep(chance.uniform(0, _JOB_S / 2))
                took_s = nursery.end(daemon)
            if took_s > _SIGTERM_S:
                count.lost += 1
                count.told.append(f"it took {took_s:.0f} s to end")
            states = {job.state.value for job in watched.jobs()}
            if "working" in states or any((watched.root / "working").iterdir()):
                count.half_written += 1
                count.told.append(f"after SIGTERM: {states}")
        with watched.daemon():
            watched.wait_until_done()
        count.add(watched.count(tries))
    return count


def reader_killed(nursery: Nursery, tries: int, chance: random.Random) -> Count:
    """The process that reads documents is killed or stopped; the daemon lives, `retry` goes on."""
    count = Count()
    for number in range(tries):
        with field(nursery) as watched:
            watched.drop("scene")
            kind = chance.choice([signal.SIGKILL, signal.SIGSEGV])
            with watched.daemon() as daemon:
                _signal_reader(daemon, kind)
                watched.wait_for_state("failed", "done")
                if (job := watched.jobs()[0]).state.value == "failed":
                    _retry(watched.root, job.id)
                watched.wait_until_done()
                if not nursery.is_running(daemon):
                    count.lost += 1
                    count.told.append(f"try {number}: the daemon ended with its reader")
            count.add(watched.count(1))
    return count


def _retry(folder: Path, job: int) -> None:
    command = [sys.executable, "-m", "nlecompanion.cli", "retry", str(folder), str(job)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _signal_reader(daemon: int, kind: signal.Signals) -> None:
    """Waits for a reader of the daemon and signals it."""
    children = Path(f"/proc/{daemon}/task/{daemon}/children")
    until_s = time.monotonic() + _JOB_S
    while time.monotonic() < until_s:
        found = [int(word) for word in children.read_text().split()]
        if found:
            try:
                os.kill(found[0], kind)
            except ProcessLookupError:
                continue
            return
        time.sleep(0.001)


def _wait_a_while(watched: Field, *states: str, seconds: float) -> None:
    """Until a job is in one of the states, or for so long."""
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        try:
            if any(job.state.value in states for job in watched.jobs()):
                return
        except OSError:
            return
        time.sleep(0.05)


def _free_bytes(disk: Path) -> int:
    return shutil.disk_usage(disk).free


@contextmanager
def _small_disk(room: Path) -> Iterator[Path]:
    disk = room / "disk"
    disk.mkdir()
    options = f"size={_DISK_BYTES}"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        raise PermissionError(f"no small disk: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
