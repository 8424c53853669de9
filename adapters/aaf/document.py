"""The AAF document: which composition is meant, its tracks, and what pyaaf2's errors say of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from nlecompanion.errors import DocumentError, NleCompanionError, UnsupportedDocument

from .compound import check_compound
from .values import AafObject, class_of, is_a, rate_of, text_of, value_of, whole_number

_SOUND = frozenset({"Sound", "LegacySound", "StereoSound"})
_MAX_TOLD = 8
_USUAL_RATE = Fraction(30)


@dataclass(frozen=True, slots=True)
class Clock:
    """The composition's own clock: frames of `rate`, from `start_frame` on."""

    rate: Fraction
    start_frame: int
    drop_frame: bool


@dataclass(frozen=True, slots=True, eq=False)
class AafDocument:
    """An open document with the one composition that is worked on and its sound tracks."""

    file: AafObject
    name: str
    top: AafObject
    tracks: tuple[AafObject, ...]

    def mob(self, mob_id: AafObject) -> AafObject | None:
        """The mob of that id, None where the document does not hold it."""
        if mob_id is None or not mob_id.int:
            return None
        return self.file.content.mobs.get(mob_id, None)

    def clock(self) -> Clock:
        """Frame rate and start timecode; the tracks' rate where there is no timecode track."""
        slots = list(self.top.slots)
        clocks = [slot for slot in slots if class_of(slot.segment) == "Timecode"]
        clocks.sort(key=lambda slot: whole_number(slot, "PhysicalTrackNumber"))
        if clocks:
            timecode = clocks[0].segment
            start = whole_number(timecode, "Start") + whole_number(clocks[0], "Origin")
            return Clock(rate_of(clocks[0]), max(start, 0), bool(value_of(timecode, "Drop", False)))
        pictures = [slot for slot in slots if media_kind(slot) in ("Picture", "LegacyPicture")]
        rates = [rate_of(slot) for slot in (*pictures, *self.tracks)]
        return Clock(next((rate for rate in rates if rate < 1000), _USUAL_RATE), 0, False)


def media_kind(slot: AafObject) -> str:
    """What the slot carries: `Sound`, `Picture`, `Timecode`."""
    segment = slot.segment
    return "" if segment is None else str(segment.media_kind or "")


@contextmanager
def open_aaf(path: Path, shown: str = "", mode: str = "r") -> Iterator[AafDocument]:
    """The document, open; `shown` is what messages call it.

    Raises:
        DocumentError: with one sentence fit for the editor.
    """
    name = shown or path.name
    try:
        check_compound(path)
        with _opened(path, mode) as file:
            top = _top_composition(file, name)
            tracks = tuple(
                slot
                for slot in top.slots
                if is_a(slot, "TimelineMobSlot") and media_kind(slot) in _SOUND
            )
            yield AafDocument(file, name, top, tracks)
    except UnsupportedDocument as error:
        if str(error).startswith(name):
            raise
        raise UnsupportedDocument(f"{name}: {error}") from error
    except (NleCompanionError, OSError):
        raise
    except Exception as error:
        # pyaaf2 raises whatever goes wrong first: struct.error, KeyError, AssertionError...
        what = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise DocumentError(
            f"{name} cannot be read as AAF ({what}). Export it again from the editor."
        ) from error


def _opened(path: Path, mode: str) -> AafObject:
    """pyaaf2's file; where it cannot be read, nothing stays open."""
    from aaf2.file import AAFFile

    file = AAFFile.__new__(AAFFile)
    try:
        file.__init__(str(path), mode)
    except Exception:
        stream = getattr(file, "f", None)
        if stream is not None:
            stream.close()
        raise
    return file


def _top_composition(file: AafObject, name: str) -> AafObject:
    compositions = [mob for mob in file.content.mobs if is_a(mob, "CompositionMob")]
    top = [mob for mob in compositions if text_of(mob, "UsageCode") == "Usage_TopLevel"]
    if not top:
        # AAF 1.0 writers leave the usage code out.
        top = [mob for mob in compositions if not text_of(mob, "UsageCode")]
    if len(top) > 1:
        inner = {reference.mob_id for mob in compositions for reference in _references(mob)}
        top = [mob for mob in top if mob.mob_id not in inner] or top
    if len(top) == 1:
        return top[0]
    if not top:
        raise UnsupportedDocument(
            f"{name} holds no sequence, only clips. Select the sequence and export that."
        )
    names = ", ".join(text_of(mob, "Name")[:60] or "(unnamed)" for mob in top[:_MAX_TOLD])
    raise UnsupportedDocument(
        f"{name} holds {len(top)} sequences ({names}). Export one sequence at a time."
    )


def _references(mob: AafObject) -> Iterator[AafObject]:
    for slot in mob.slots:
        if slot.segment is not None:
            for thing, _ in slot.segment.walk_references():
                if is_a(thing, "SourceClip"):
                    yield thing
