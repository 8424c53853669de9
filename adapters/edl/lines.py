"""The text of a CMX 3600 list, line by line, and what each line is.

Columns are those of the CMX 3600 format: number, reel, channels, kind of edit with its length,
source in and out, record in and out. Editors keep the order, not always the columns.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from nlecompanion.errors import DocumentError, NotATimeline, UnsafeDocument

MAX_BYTES = 64 * 2**20
#: Longer lines are comments at most: an event has under 100 characters, long reels included.
_MAX_EVENT_CHARACTERS = 400
#: What our own lists and comments begin with.
NOTE = "* NLECOMPANION:"
MUTE_WORDS = "MUTE THIS EVENT"
CLEANED_WORDS = "CLEANED SOUND OF"

_TIMECODE = r"\d{2}[:;.]\d{2}[:;.]\d{2}[:;.,]\d{2,3}"
_TIMECODES = re.compile(rf"({_TIMECODE})\s+({_TIMECODE})\s+({_TIMECODE})\s+({_TIMECODE})\s*$")
_HEAD = re.compile(r"^\s*(\d{1,8})\s+(\S.*)$")
_KIND = re.compile(r"^(C|D|W\d{1,3}|K(?:B|O)?)$", re.IGNORECASE)
_CHANNELS = re.compile(r"^(?:NONE?|B|(?:[AV]\d{0,2}/?)+)$", re.IGNORECASE)
_AUDIO = re.compile(r"A(\d{0,2})", re.IGNORECASE)
_SPEED = re.compile(
    rf"^M2\s+(?P<reel>.*?)\s*(?P<fps>[+-]?\s?\d{{1,5}}(?:\.\d{{1,4}})?)\s+{_TIMECODE}\s*$"
)
_COMMENT = re.compile(
    r"^\*?\s*(FROM CLIP NAME|TO CLIP NAME|SOURCE FILE|FROM FILE|FROM CLIP|LOC|AUDIO LEVEL)\b"
    r"\s*(?::|(?=\s+AT\b))\s*(.*?)\s*$",
    re.IGNORECASE,
)
_FCM = re.compile(r"^\s*FCM\s*:\s*(NON[- ]?DROP|NDF|DROP|DF)", re.IGNORECASE)
_TITLE = re.compile(r"^\s*TITLE\s*:[ \t]*", re.IGNORECASE)
_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Text:
    """A list's lines without their ends, and all that is needed to write them back as they were."""

    lines: tuple[str, ...]
    ends: tuple[str, ...]
    encoding: str
    mark: bytes

    @property
    def newline(self) -> str:
        """What ends a line here."""
        return next((end for end in self.ends if end), "\r\n")


@dataclass(slots=True)
class Written:
    """An event as it stands in the list, not yet counted in frames.

    `line` and `last_line` are its own line and the last one that belongs to it. `drop_frame` is
    what the last FCM line before it said, None before any. `speeds` are M2 lines.
    """

    ordinal: int
    number: str
    reel: str
    audio: tuple[int, ...]
    picture: bool
    kind: str
    transition: int
    timecodes: tuple[str, str, str, str]
    line: int
    last_line: int
    drop_frame: bool | None
    split: bool = False
    names: dict[str, list[str]] = field(default_factory=dict)
    speeds: list[tuple[str, Fraction]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    levels: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Finds the event again: its place among the events, and its number as a check."""
        return f"E{self.ordinal}:{self.number}"


@dataclass(frozen=True, slots=True)
class Written3600:
    """A whole list as it stands: title (None without one), its line, FCM lines, events, LOCs."""

    name: str
    text: Text
    title: str | None
    title_line: int | None
    fcm_line: int | None
    drop_frame: bool
    events: tuple[Written, ...]
    locators: tuple[str, ...]


def looks_like_edl(head: bytes) -> bool:
    """Whether these first bytes hold an event, or a title followed by an FCM line."""
    if b"\0" in head and not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return False
    lines = _LINE_END.split(_decoded(head, "replace")[0])[:400]
    if any(parse_event(line) is not None for line in lines):
        return True
    return any(_TITLE.match(line) for line in lines) and any(_FCM.match(line) for line in lines)


def read_list(path: Path) -> Written3600:
    """Reads and parses a file.

    Raises:
        DocumentError: it cannot be read.
        UnsafeDocument: too large.
        NotATimeline: it holds no events.
    """
    try:
        size_bytes = path.stat().st_size
        if size_bytes > MAX_BYTES:
            raise UnsafeDocument(
                f"{path.name} has {size_bytes / 2**20:.0f} MiB; at most {MAX_BYTES >> 20} MiB of "
                "EDL are read. Export fewer tracks at a time."
            )
        data = path.read_bytes()
    except OSError as error:
        raise DocumentError(
            f"{path.name} cannot be read: {error.strerror}. Check the file and its permissions."
        ) from error
    return parse_list(data, path.name)


def parse_list(data: bytes, name: str) -> Written3600:
    """Parses a list.

    Raises:
        NotATimeline: it holds no events.
    """
    text = _text(data, name)
    title: str | None = None
    title_line: int | None = None
    fcm_line: int | None = None
    drop_frame: bool | None = None
    list_drops = False
    split = False
    events: list[Written] = []
    locators: list[str] = []
    for number, line in enumerate(text.lines):
        fcm = _FCM.match(line)
        event = parse_event(line)
        if fcm is not None:
            drop_frame = not fcm[1].upper().startswith("N")
            if not events:
                fcm_line, list_drops = number, drop_frame
        elif event is not None:
            event.ordinal, event.line, event.last_line = len(events) + 1, number, number
            event.drop_frame, event.split, split = drop_frame, split, False
            events.append(event)
        elif not events and title is None and _TITLE.match(line):
            title, title_line = _TITLE.sub("", line).strip(), number
        elif line.lstrip().upper().startswith("SPLIT:"):
            split = True
        elif events and line.strip():
            _attach(events[-1], line.strip(), number, locators)
    if not events:
        raise NotATimeline(
            f"{name} holds no events of a CMX 3600 list. Export the sequence as a CMX 3600 EDL."
        )
    shared = _shared(events)
    return Written3600(name, text, title, title_line, fcm_line, list_drops, shared, tuple(locators))


def parse_event(line: str) -> Written | None:
    """The event that a line states, None for any other line.

    It is read from its end: reels may hold spaces, and a transition may lack its letter.
    """
    if len(line) > _MAX_EVENT_CHARACTERS:
        return None
    codes = _TIMECODES.search(line)
    head = None if codes is None else _HEAD.match(line[: codes.start()])
    if codes is None or head is None:
        return None
    words = head[2].split()
    transition = 0
    if len(words) > 2 and words[-1].isascii() and words[-1].isdigit() and len(words[-1]) <= 4:
        transition = int(words.pop())
    kind = "D" if transition else "C"
    if len(words) > 2 and _KIND.match(words[-1]):
        kind = words.pop().upper()
    if len(words) < 2 or _CHANNELS.match(words[-1]) is None:
        return None
    channels = words.pop().upper()
    audio = _audio_channels(channels)
    codes_found = (codes[1], codes[2], codes[3], codes[4])
    picture = "V" in channels or channels == "B"
    reel = " ".join(words)
    return Written(0, head[1], reel, audio, picture, kind, transition, codes_found, 0, 0, None)


def _audio_channels(channels: str) -> tuple[int, ...]:
    """The record channels: `AA` is 1 and 2, `A10` is 10, `B` is picture and 1."""
    if channels == "B":
        return (1,)
    if channels.startswith("NON"):
        return ()
    found: list[int] = []
    for match in _AUDIO.finditer(channels):
        number = int(match[1]) if match[1] else max(found, default=0) + 1
        if number and number not in found:
            found.append(number)
    return tuple(found)


def _attach(event: Written, line: str, number: int, locators: list[str]) -> None:
    """Hands a line below an event to it."""
    event.last_line = number
    speed = _SPEED.match(line) if len(line) <= _MAX_EVENT_CHARACTERS else None
    comment = _COMMENT.match(line)
    if speed is not None:
        event.speeds.append((speed["reel"], Fraction(speed["fps"].replace(" ", ""))))
    elif line.startswith("AUD "):
        extra = tuple(int(word) for word in line.split()[1:] if word in ("3", "4"))
        event.audio += tuple(channel for channel in extra if channel not in event.audio)
    elif line.startswith(NOTE):
        event.notes.append(line.removeprefix(NOTE).strip())
    elif comment is not None and comment[1].upper() == "LOC":
        locators.append(comment[2])
    elif comment is not None and comment[1].upper() == "AUDIO LEVEL":
        event.levels.append(line)
    elif comment is not None:
        event.names.setdefault(comment[1].upper(), []).append(comment[2])


def _shared(events: list[Written]) -> tuple[Written, ...]:
    """Gives each half of a transition what stands below both of them."""
    for left, right in pairwise(events):
        if right.kind == "C" or left.number != right.number or left.names:
            continue
        left.last_line = right.last_line
        for key in ("FROM CLIP NAME", "SOURCE FILE", "FROM FILE", "FROM CLIP"):
            left.names[key] = right.names.get(key, [])[:1]
        to_names = right.names.pop("TO CLIP NAME", None)
        if to_names:
            right.names["FROM CLIP NAME"] = to_names
            for key in ("SOURCE FILE", "FROM FILE", "FROM CLIP"):
                right.names[key] = right.names.get(key, [])[1:]
        left.speeds = [entry for entry in right.speeds if _same_reel(entry[0], left.reel)]
        if not _same_reel(left.reel, right.reel):
            right.speeds = [entry for entry in right.speeds if entry not in left.speeds]
        elif len(right.speeds) > 1:
            left.speeds, right.speeds = right.speeds[:1], right.speeds[1:]
    return tuple(events)


def _same_reel(one: str, other: str) -> bool:
    return bool(one) and one.split()[0] == other.split()[0]


def _text(data: bytes, name: str) -> Text:
    if not data.strip(b"\0 \t\r\n"):
        raise NotATimeline(f"{name} is empty. Export the timeline again.")
    text, encoding, mark = _decoded(data, "strict")
    if "\0" in text:
        raise NotATimeline(f"{name} is binary, not the text of an EDL. Export a CMX 3600 EDL.")
    lines, ends, position = [], [], 0
    for match in _LINE_END.finditer(text):
        lines.append(text[position : match.start()])
        ends.append(match[0])
        position = match.end()
    if position < len(text):
        lines.append(text[position:])
        ends.append("")
    return Text(tuple(lines), tuple(ends), encoding, mark)


def _decoded(data: bytes, errors: str) -> tuple[str, str, bytes]:
    """Text, encoding, byte order mark: UTF-8 where the bytes are, else Latin-1, which is total."""
    marks = (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    )
    for mark, encoding in marks:
        if data.startswith(mark):
            try:
                return data[len(mark) :].decode(encoding, errors), encoding, mark
            except UnicodeDecodeError:
                break
    try:
        return data.decode("utf-8", "strict"), "utf-8", b""
    except UnicodeDecodeError:
        return data.decode("latin-1"), "latin-1", b""


def title_prefix(line: str) -> str:
    """`TITLE:   ` as the list spells it."""
    match = _TITLE.match(line)
    return match[0] if match else "TITLE: "
