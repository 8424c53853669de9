"""All regions of a job listened to once, and the room tones of their places."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nlecompanion.delivery.staging import disk_errors
from nlecompanion.model import Region
from nlecompanion.treatment.tone_finding import NoRoomTone, RoomTone, ToneKey
from nlecompanion.treatment.tone_travel import tone_from_bytes, tone_to_bytes
from nlecompanion.wire import Json, from_json, to_json
from nlecompanion.work.places import place_of
from nlecompanion.work.pool import Request
from nlecompanion.work.survey import Listened, Survey, survey_of
from nlecompanion.work.task import places_recipe
from nlecompanion.work.task_digest import stretch_digest
from nlecompanion.work.tasks_bench import Bench, Piece
from nlecompanion.work.worker_jobs import Done

#: Told what is being done; may raise to stop.
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ToneFile:
    """A place's room tone as a file (`tone_travel`), and its SHA-256."""

    path: Path
    sha256: str

    def read(self) -> RoomTone | None:
        """The tone; None where the place has none."""
        found = tone_from_bytes(self.path.read_bytes())
        return found if isinstance(found, RoomTone) else None


def bare(region: Region) -> Json:
    """The region's sound without its uses, for a worker."""
    told: Json = to_json(replace(region, uses=()), Region)
    return told


def seconds_of(region: Region) -> float:
    """The region's length."""
    return region.length_samples / region.rate_hz


def survey_all(regions: Sequence[Region], bench: Bench, say: Say) -> tuple[Survey | None, ...]:
    """A survey for each region, None for one that cannot be read: its work will say why.

    Raises:
        NleCompanionError: nothing can be worked on, or `say` raised it.
    """
    say("Listening")
    pieces = [_listening(region) for region in regions]
    answers = bench.answers(pieces, lambda *_: say("Listening"))
    return tuple(
        survey_of(region, from_json(answer.values["heard"], Listened))
        if isinstance(answer, Done) and "heard" in answer.values
        else None
        for region, answer in zip(regions, answers, strict=True)
    )


def _listening(region: Region) -> Piece:
    request = Request("listen", lambda: {"region": bare(region)}, seconds_of(region))
    return Piece(request, lambda: stretch_digest(region))


def tones_of(
    regions: Sequence[Region], surveys: Sequence[Survey | None], bench: Bench, say: Say
) -> dict[ToneKey, ToneFile]:
    """The room tone of every place, from those of its regions that could be surveyed.

    Raises:
        NleCompanionError: nothing can be worked on, or `say` raised it.
    """
    places: dict[ToneKey, list[Survey]] = {}
    for region, surveyed in zip(regions, surveys, strict=True):
        known = places.setdefault(place_of(region), [])
        if surveyed is not None:
            known.append(surveyed)
    folder = bench.room / "tones"
    with disk_errors(folder.parent):
        folder.mkdir()
    heard = [key for key, several in places.items() if several]
    pieces = [_piece(places[key], folder / f"{number}.tone") for number, key in enumerate(heard)]
    found = {}
    answers = bench.answers(pieces, lambda *_: say("Looking for room tone"))
    for key, piece, answer in zip(heard, pieces, answers, strict=True):
        if isinstance(answer, Done) and piece.sound is not None:
            found[key] = ToneFile(piece.sound, str(answer.values["sha256"]))
    without = _written(NoRoomTone("its sound cannot be read"), folder / "none.tone")
    return {key: found.get(key, without) for key in places}


def _piece(surveys: Sequence[Survey], path: Path) -> Piece:
    regions = [s.region for s in surveys]

    def values() -> dict[str, Json]:
        told: Json = [
            [bare(s.region), to_json(Listened(s.track.probabilities, s.track.powers), Listened)]
            for s in surveys
        ]
        return {"surveys": told, "sound": str(path)}

    return Piece(
        Request("tone", values, sum(map(seconds_of, regions))),
        lambda: places_recipe([stretch_digest(region) for region in regions]),
        path,
    )


def _written(tone: RoomTone | NoRoomTone, path: Path) -> ToneFile:
    content = tone_to_bytes(tone)
    with disk_errors(path.parent):
        path.write_bytes(content)
    return ToneFile(path, hashlib.sha256(content).hexdigest())
