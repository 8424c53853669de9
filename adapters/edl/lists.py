"""Audio-only lists of cleaned clips, in the manner of the list that they come from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from nlecompanion.model import CleanedClip, CleanedMedia, CleanTrack, ConformPlan, Loss
from nlecompanion.units import timecode_from_frames

from .cut import Cut, Event
from .lines import CLEANED_WORDS, NOTE

_REEL_CHARACTERS = 8
_BLACK = "BL"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_LEVEL_REEL = re.compile(r"\(REEL\s+\S+", re.IGNORECASE)


def one_line(text: str) -> str:
    """The text without line ends and control characters."""
    return _CONTROL.sub(" ", text).strip()


@dataclass(frozen=True, slots=True)
class _Placed:
    """A cleaned clip in frames, beside the event that it stands in for."""

    clip: CleanedClip
    original: Event
    reel: str
    source_in: int
    record_in: int
    length: int

    @property
    def source_out(self) -> int:
        return self.source_in + self.length

    @property
    def record_out(self) -> int:
        return self.record_in + self.length


class ListWriter:
    """Writes the plan's tracks as lists; a file has one reel name in all of them."""

    def __init__(self, cut: Cut, plan: ConformPlan, losses: list[Loss]) -> None:
        self._cut = cut
        self._plan = plan
        self._losses = losses
        self._reels: dict[str, str] = {}
        self._taken = {event.written.reel.upper() for event in cut.events}
        self._by_ordinal = {event.written.ordinal: event for event in cut.events}
        self._rounded: set[str] = set()

    def list_of(self, track: CleanTrack) -> list[str]:
        """The lines of one track's list."""
        title = one_line(f"{self._plan.timeline_name} {track.name}")
        lines = [f"TITLE: {title}"]
        if self._cut.written.fcm_line is not None:
            lines.append(f"FCM: {'DROP FRAME' if self._cut.drop_frame else 'NON-DROP FRAME'}")
        lines.append(f"* FPS: {float(self._cut.rate.rate):.6g}")
        placed = [self._place(clip, address) for clip in track.clips for address in clip.like]
        # One channel after another: a transition joins clips of one channel.
        lanes: dict[tuple[int, ...], list[_Placed]] = {}
        for entry in placed:
            lanes.setdefault(entry.original.audio, []).append(entry)
        edits: list[tuple[int, int, list[str]]] = []
        for lane in lanes.values():
            lane.sort(key=lambda entry: entry.record_in)
            for index, entry in enumerate(lane):
                before = lane[index - 1] if index else None
                after = lane[index + 1] if index + 1 < len(lane) else None
                for block in self._edits(entry, before, after):
                    edits.append((entry.record_in, entry.original.written.ordinal, block))
        edits.sort(key=lambda edit: edit[:2])
        for number, (_, _, block) in enumerate(edits, start=1):
            lines += [f"{number:03}{line}" if line.startswith(" ") else line for line in block]
        return lines

    def _place(self, clip: CleanedClip, address: str) -> _Placed:
        rate = self._cut.rate.rate
        source = (clip.media.start_s + clip.source_in_s) * rate
        if source.denominator != 1 and clip.media.id not in self._rounded:
            self._rounded.add(clip.media.id)
            self._losses.append(
                Loss(
                    clip.media.path.name,
                    f"its source timecode was rounded by {_milliseconds(source, rate)} ms to a "
                    "whole frame: the format counts in frames only",
                )
            )
        return _Placed(
            clip=clip,
            original=self._cut.event_at(address),
            reel=self._reel(clip.media),
            source_in=round(source),
            record_in=self._cut.start + round(clip.record.start_s * rate),
            length=round(clip.record.duration_s * rate),
        )

    def _reel(self, media: CleanedMedia) -> str:
        """Eight letters, digits or underscores that no other reel has."""
        if media.id not in self._reels:
            stem = re.sub(r"[^A-Z0-9]+", "_", media.path.stem.upper()).strip("_") or "CLEAN"
            reel, number = stem[:_REEL_CHARACTERS], 1
            while reel in self._taken:
                number += 1
                ending = f"_{number}"
                reel = stem[: _REEL_CHARACTERS - len(ending)] + ending
            self._taken.add(reel)
            self._reels[media.id] = reel
        return self._reels[media.id]

    def _edits(
        self, entry: _Placed, before: _Placed | None, after: _Placed | None
    ) -> Iterator[list[str]]:
        """The event, its own transition, and a fade out where the sound after it is not here.

        Lines that begin with a space still lack their event number.
        """
        original = entry.original
        if entry.clip.plain:
            yield self._event(entry)
            return
        if original.transition:
            joined = before is not None and before.record_out == entry.record_in
            yield self._transition(entry, before if joined else None)
        else:
            yield self._event(entry)
        fade = self._by_ordinal.get(original.fade_to or 0)
        if fade is None or (
            after is not None and after.record_in == entry.record_out and after.original.transition
        ):
            return
        room = after.record_in - entry.record_out if after is not None else fade.transition
        if room >= fade.transition:
            yield self._fade_out(entry, fade)
        else:
            self._losses.append(
                Loss(
                    entry.clip.media.path.name,
                    f"its fade out of {fade.transition} frames after event "
                    f"{original.written.number} has no room beside the next clip",
                )
            )

    def _event(self, entry: _Placed) -> list[str]:
        codes = (entry.source_in, entry.source_out, entry.record_in, entry.record_out)
        return [
            *self._lines(entry.reel, entry.original.audio, "C", 0, codes),
            f"* FROM CLIP NAME:  {one_line(entry.clip.media.path.name)}",
            *self._about(entry),
        ]

    def _transition(self, entry: _Placed, before: _Placed | None) -> list[str]:
        cut_at = entry.record_in
        kind = entry.original.written.kind
        reel, source = (_BLACK, 0) if before is None else (before.reel, before.source_out)
        codes = (entry.source_in, entry.source_out, cut_at, entry.record_out)
        name = _BLACK if before is None else one_line(before.clip.media.path.name)
        audio = entry.original.audio
        return [
            *self._lines(reel, audio, "C", 0, (source, source, cut_at, cut_at)),
            *self._lines(entry.reel, audio, kind, entry.original.transition, codes),
            f"* FROM CLIP NAME:  {name}",
            f"* TO CLIP NAME:  {one_line(entry.clip.media.path.name)}",
            *([f"* SOURCE FILE: {_BLACK}"] if before is None else self._about(before)[:1]),
            *self._about(entry),
        ]

    def _fade_out(self, entry: _Placed, fade: Event) -> list[str]:
        out, at, audio = entry.source_out, entry.record_out, entry.original.audio
        length = fade.transition
        return [
            *self._lines(entry.reel, audio, "C", 0, (out, out, at, at)),
            *self._lines(_BLACK, audio, fade.written.kind, length, (0, length, at, at + length)),
            f"* FROM CLIP NAME:  {one_line(entry.clip.media.path.name)}",
            f"* TO CLIP NAME:  {_BLACK}",
            *self._about(entry),
        ]

    def _about(self, entry: _Placed) -> list[str]:
        original = entry.original.written
        return [
            f"* SOURCE FILE: {one_line(str(entry.clip.media.path))}",
            f"{NOTE} {CLEANED_WORDS} EVENT {original.number}",
            *(_LEVEL_REEL.sub(lambda _: f"(REEL {entry.reel}", level) for level in original.levels),
        ]

    def _lines(
        self,
        reel: str,
        audio: tuple[int, ...],
        kind: str,
        transition: int,
        frames: tuple[int, int, int, int],
    ) -> list[str]:
        codes = " ".join(self._code(frame) for frame in frames)
        length = f"{transition:03}" if transition else ""
        low = [channel for channel in audio if channel <= 2]
        extra = [channel for channel in audio if channel in (3, 4)]
        if len(audio) == 1:
            token, extra = "A" if audio[0] == 1 else f"A{audio[0]}", []
        elif set(audio) <= {1, 2, 3, 4}:
            token = {0: "NONE", 1: "A" if low == [1] else "A2", 2: "AA"}[len(low)]
        else:
            token, extra = "".join(f"A{channel}" for channel in audio), []
        line = f"  {reel:<8} {token:<5} {kind:<4} {length:<3} {codes}"
        places = {3: "3" if 3 in extra else " ", 4: "4" if 4 in extra else ""}
        return [line, *([f"AUD  {places[3]}    {places[4]}".rstrip()] if extra else [])]

    def _code(self, frame: int) -> str:
        return timecode_from_frames(frame, self._cut.rate.rate, self._cut.drop_frame).replace(
            ";", ":"
        )


def _milliseconds(frames: Fraction, rate: Fraction) -> str:
    return f"{float(abs(frames - round(frames)) / rate) * 1000:.2f}"
