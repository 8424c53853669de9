"""The events of a list counted in frames, with what speaks against working on each."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from nlecompanion.errors import DocumentError, UnsupportedDocument
from nlecompanion.model import LeftAlone, Reason
from nlecompanion.units import can_drop_frames, frames_from_timecode, nominal_rate

from .lines import CLEANED_WORDS, MUTE_WORDS, Written, Written3600, read_list
from .rate import ListRate, rate_of

_BLACK = {"BL", "BLACK", "BLK"}
_MEDIA = re.compile(
    r"\.(wav|bwf|w64|rf64|aiff?|caf|mp[234]|m4[av]|aac|flac|ogg|opus|mov|mxf|mkv|avi|mts|m2ts|"
    r"ts|mpe?g|webm|wmv|wma|braw|r3d)$",
    re.IGNORECASE,
)
_PATH_KEYS = ("SOURCE FILE", "FROM FILE", "FROM CLIP", "FROM CLIP NAME")


@dataclass(frozen=True, slots=True)
class Event:
    """An event in frames at the list's rate; `transition` frames lead into it from `fade_from`.

    `fade_to` is the ordinal of the event whose transition takes this one's sound on past its out.
    """

    written: Written
    source_in: int
    source_out: int
    record_in: int
    record_out: int
    transition: int
    name: str
    media: str
    black: bool
    left_alone: LeftAlone | None
    fade_from: int | None = None
    fade_to: int | None = None
    continued: bool = False

    @property
    def address(self) -> str:
        """See `Written.address`."""
        return self.written.address

    @property
    def audio(self) -> tuple[int, ...]:
        """Record channels, from 1."""
        return self.written.audio

    @property
    def length(self) -> int:
        """Frames on the timeline."""
        return max(0, self.record_out - self.record_in)


@dataclass(frozen=True, slots=True)
class Cut:
    """The whole list: its first record frame is the timeline's first frame.

    `drop_frame` is whether record timecode drops frames.
    """

    written: Written3600
    rate: ListRate
    events: tuple[Event, ...]
    start: int
    drop_frame: bool

    def event_at(self, address: str) -> Event:
        """The event of that address.

        Raises:
            DocumentError: the list has none.
        """
        number = address.removeprefix("E").partition(":")[0]
        if number.isascii() and number.isdigit() and 0 < int(number[:9]) <= len(self.events):
            event = self.events[int(number[:9]) - 1]
            if event.address == address:
                return event
        raise DocumentError(
            f"{self.written.name} has no event at {address!r}. It is not the list that the plan "
            "was made from; run the timeline again."
        )


def open_cut(path: Path) -> Cut:
    """Reads a list with sound.

    Raises:
        DocumentError: with one sentence fit for the editor.
    """
    written = read_list(path)
    rate = rate_of(written)
    if not any(event.audio and not is_black(event.reel) for event in written.events):
        pictures = sum(event.picture for event in written.events)
        raise UnsupportedDocument(
            f"{path.name} holds {pictures} picture events and no sound. Export the EDL with its "
            "audio tracks switched on, or export an FCP7 XML, FCPXML, AAF or OTIO timeline."
        )
    events = _counted(written, rate.rate)
    drop_frame = record_drops(written) and can_drop_frames(rate.rate)
    start = min(event.record_in for event in events)
    return Cut(written, rate, _joined(events), start, drop_frame)


def is_black(reel: str) -> bool:
    """Whether a reel is black and silence, which CMX 3600 writes as a source."""
    return reel.upper() in _BLACK


def record_drops(written: Written3600) -> bool:
    """Record timecode drops frames where the first FCM line, or its own marks, say so."""
    return written.drop_frame or any(e.timecodes[2][8] in ";," for e in written.events)


def _counted(written: Written3600, rate: Fraction) -> list[Event]:
    record_drop = record_drops(written)
    modes = _source_modes(written, rate, record_drop)
    return [_event(event, written.name, rate, record_drop, modes) for event in written.events]


def _frames(code: str, rate: Fraction, drop: bool, name: str) -> int:
    try:
        return frames_from_timecode(code, rate, drop or code[8] in ";,")
    except ValueError as error:
        raise UnsupportedDocument(f"{name}: {error}. Export the list again.") from error


def _key(event: Written) -> tuple[str, str]:
    return event.reel, (event.names.get("FROM CLIP NAME") or [""])[0]


def _source_modes(
    written: Written3600, rate: Fraction, record_drop: bool
) -> dict[tuple[str, str], bool]:
    """Per source whether its timecode drops frames, where the lengths of its events tell.

    Editors do not always write an FCM line where the source's mode changes.
    """
    evidence: dict[tuple[str, str], set[bool]] = defaultdict(set)
    if not can_drop_frames(rate):
        return {}
    for event in written.events:
        codes = event.timecodes
        ends = [_frames(code, rate, record_drop, written.name) for code in codes[2:]]
        fits = {
            drop
            for drop in (False, True)
            if ends[1] - ends[0]
            == _frames(codes[1], rate, drop, written.name)
            - _frames(codes[0], rate, drop, written.name)
        }
        if len(fits) == 1 and not event.speeds:
            evidence[_key(event)] |= fits
    return {key: found.pop() for key, found in evidence.items() if len(found) == 1}


def _event(
    event: Written,
    name: str,
    rate: Fraction,
    record_drop: bool,
    modes: dict[tuple[str, str], bool],
) -> Event:
    source_drop = modes.get(_key(event), bool(event.drop_frame))
    codes = event.timecodes
    source_in, source_out = (_frames(code, rate, source_drop, name) for code in codes[:2])
    record_in, record_out = (_frames(code, rate, record_drop, name) for code in codes[2:])
    counted = Event(
        written=event,
        source_in=source_in,
        source_out=source_out,
        record_in=record_in,
        record_out=record_out,
        transition=event.transition if event.kind != "C" else 0,
        name=(event.names.get("FROM CLIP NAME") or [event.reel])[0] or event.reel,
        media=_media(event),
        black=is_black(event.reel),
        left_alone=None,
    )
    return replace(counted, left_alone=_why_left_alone(counted, rate))


def _media(event: Written) -> str:
    """The likeliest name of the media: one with a folder, then one with an ending, then any."""
    names = [text for key in _PATH_KEYS for text in event.names.get(key, []) if text]
    if event.reel.upper() != "AX":
        names.append(event.reel)
    for sure in (
        [text for text in names if "/" in text or "\\" in text],
        [text for text in names if _MEDIA.search(text)],
        names,
    ):
        if sure:
            return sure[0]
    return ""


def _why_left_alone(event: Event, rate: Fraction) -> LeftAlone | None:
    written = event.written
    if any(note.startswith(MUTE_WORDS) for note in written.notes):
        return LeftAlone(Reason.DISABLED, "its cleaned sound is in a list of its own")
    if any(note.startswith(CLEANED_WORDS) for note in written.notes):
        return LeftAlone(Reason.ALREADY_CLEANED, "the list was made by nlecompanion")
    if written.kind.startswith("K"):
        return LeftAlone(Reason.UNSUPPORTED, "it is a key event")
    if written.split:
        return LeftAlone(Reason.UNSUPPORTED, "it has a split edit's audio delay")
    if event.record_out < event.record_in:
        return LeftAlone(Reason.UNSUPPORTED, "its record out lies before its record in")
    speed = _speed_reason(event, rate)
    if speed is not None:
        return speed
    if not event.media:
        return LeftAlone(
            Reason.OFFLINE, "the list names no clip for it. Export with clip names as comments."
        )
    return None


def _speed_reason(event: Event, rate: Fraction) -> LeftAlone | None:
    if event.written.speeds:
        fps = event.written.speeds[-1][1]
        if fps == 0:
            return LeftAlone(Reason.FROZEN, "M2 sets 0 frames a second")
        if fps < 0:
            return LeftAlone(Reason.REVERSED, f"M2 sets {float(fps):g} frames a second")
        # M2 has one digit after the point: 24.0 or 23.9 is normal speed at 23.976.
        if min(abs(fps - rate), abs(fps - nominal_rate(rate))) >= Fraction(1, 10):
            return LeftAlone(Reason.RETIMED, f"M2 sets {float(fps):g} frames a second")
    source = event.source_out - event.source_in
    if source < 0:
        return LeftAlone(Reason.UNSUPPORTED, "its source out lies before its source in")
    if source != event.length:
        return LeftAlone(
            Reason.RETIMED, f"{source} frames of source fill {event.length} frames of the timeline"
        )
    return None


def _joined(events: list[Event]) -> tuple[Event, ...]:
    """Tells each event which transitions touch it, and which zero-length cuts merely lead over."""
    result = list(events)
    ending: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, event in enumerate(events):
        for channel in event.audio:
            ending[(channel, event.record_out)].append(index)
    for index, event in enumerate(events):
        if not event.audio:
            continue
        before = [n for n in ending[(event.audio[0], event.record_in)] if n < index]
        full = [n for n in before if events[n].length]
        if event.length == 0 and any(_runs_on(events[n], event) for n in full):
            result[index] = replace(event, continued=True)
        if event.transition and before:
            result[index] = replace(event, fade_from=events[before[-1]].written.ordinal)
            for n in {before[-1], *(n for n in full if _runs_on(events[n], events[before[-1]]))}:
                result[n] = replace(result[n], fade_to=event.written.ordinal)
    return tuple(_only_in_transition(event) for event in result)


def _runs_on(one: Event, other: Event) -> bool:
    return one.written.reel == other.written.reel and one.source_out == other.source_in


def _only_in_transition(event: Event) -> Event:
    if event.length or event.continued or event.left_alone is not None:
        return event
    reason = LeftAlone(Reason.TOO_SHORT, "it sounds in a transition only, or not at all")
    return replace(event, left_alone=reason)
