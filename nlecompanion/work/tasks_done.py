"""One task file run by itself, and the folder in which many such runs leave what they made.

A run is idempotent: what it makes is called by the task's digest, written aside and renamed, so
that two machines that are given the same task make the same files, and neither sees half of one.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from nlecompanion.delivery.staging import disk_errors
from nlecompanion.engines.weights import sha256_of
from nlecompanion.errors import MediaOffline, NleCompanionError, SettingsError
from nlecompanion.wire import Json, from_json
from nlecompanion.work.pool import Failed, Here, Request
from nlecompanion.work.target import Tick
from nlecompanion.work.task import TaskOutcome, task_from_json
from nlecompanion.work.worker_jobs import Shelf

logger = logging.getLogger(__name__)

#: Beside the task files; each tone is called by its SHA-256.
TONES_FOLDER = "tones"
_LARGEST_BYTES = 256 << 20


class Kept(Protocol):
    """Where what was made before is found, by digest: a `RegionCache`, or a folder of runs."""

    def get(self, digest: str, into: Path) -> dict[str, Any] | None:
        """The values under the digest, their sound in `into`; None where there are none."""

    def put(self, digest: str, values: dict[str, Any], sound: Path | None) -> None:
        """Keeps them."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a task file. `made` is False where it had been run before."""

    values: Path
    sound: Path | None
    made: bool


def run_task_file(path: Path, out: Path, tick: Tick) -> Ran:
    """Runs the task in that file; `DIGEST.json` and maybe `DIGEST.wav` appear below `out`.

    Raises:
        SettingsError: it is no task, or one of another version of the program.
        MediaOffline: its media cannot be read here.
        NleCompanionError: it failed; nothing is left.
    """
    values = _read(path)
    task = task_from_json(values)
    tone = path.parent / TONES_FOLDER / f"{task.tone}.tone"
    if not tone.is_file():
        raise SettingsError(f"The room tone of {path.name} is missing: {tone}. Make the task anew.")
    try:
        digest = task.digest()
    except OSError as error:
        raise MediaOffline(f"{task.region.media.path} cannot be read here: {error}.") from error
    done = DoneFolder(out)
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        if done.holds(digest):
            return done.ran(digest, made=False)
        room = Path(tempfile.mkdtemp(prefix=".work-", dir=out))
        try:
            sound = room / "sound.wav"
            told = {"task": values, "tone": str(tone), "sound": str(sound)}
            told["scratch"] = str(room / "scratch")
            done.put(digest, _worked(told, len(task.region.uses), tick), sound)
        finally:
            shutil.rmtree(room, ignore_errors=True)
    return done.ran(digest, made=True)


def _worked(told: dict[str, Any], windows: int, tick: Tick) -> dict[str, Json]:
    request = Request("region", lambda: told, 0.0)
    answers = Here(Shelf()).answers([request], lambda _, seconds: tick(seconds))
    answer = next(iter(answers))[1]
    if isinstance(answer, Failed):
        raise NleCompanionError(f"The task failed: {answer.line}.")
    if not answer.lasting:
        outcome = from_json(answer.values["outcome"], TaskOutcome)
        if outcome.failed and windows:
            raise NleCompanionError(f"The task failed: {outcome.uses[0].left_alone}")
        raise NleCompanionError("The memory ran out. Run the task where there is more of it.")
    return answer.values


def _read(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return json.loads(file.read(_LARGEST_BYTES))
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path.name} is no task: {error}.") from error


@dataclass(frozen=True, slots=True)
class DoneFolder:
    """A folder in which task files' runs have left what they made."""

    folder: Path

    def holds(self, digest: str) -> bool:
        """Whether that task was run; its sound is there when its values are."""
        return self._values(digest).is_file()

    def ran(self, digest: str, *, made: bool) -> Ran:
        """The files of a task that was run."""
        sound = self._sound(digest)
        return Ran(self._values(digest), sound if sound.is_file() else None, made)

    def get(self, digest: str, into: Path) -> dict[str, Any] | None:
        """As `Kept`; files that are not what was written are passed over."""
        try:
            values = json.loads(self._values(digest).read_bytes())
            outcome = from_json(values["outcome"], TaskOutcome)
            if outcome.sound_sha256 is not None:
                shutil.copyfile(self._sound(digest), into)
                if sha256_of(into) != outcome.sound_sha256:
                    raise ValueError("its sound is another")
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            logger.warning("%s is not used: %s", self._values(digest).name, error)
            return None
        return dict(values)

    def put(self, digest: str, values: dict[str, Any], sound: Path | None) -> None:
        """As `Kept`; the sound is moved here.

        Raises:
            OSError: the folder cannot be written.
        """
        if sound is not None and sound.is_file():
            sound.replace(self._sound(digest))
        number, aside = tempfile.mkstemp(prefix=".values-", dir=self.folder)
        with os.fdopen(number, "w", encoding="ascii") as file:
            json.dump(values, file)
        Path(aside).replace(self._values(digest))

    def _values(self, digest: str) -> Path:
        return self.folder / f"{digest}.json"

    def _sound(self, digest: str) -> Path:
        return self.folder / f"{digest}.wav"


@dataclass(frozen=True, slots=True)
class Both:
    """What one of two places has; new things are kept in the second."""

    first: Kept
    second: Kept

    def get(self, digest: str, into: Path) -> dict[str, Any] | None:
        """As `Kept`."""
        found = self.first.get(digest, into)
        return self.second.get(digest, into) if found is None else found

    def put(self, digest: str, values: dict[str, Any], sound: Path | None) -> None:
        """As `Kept`."""
        self.second.put(digest, values, sound)
