"""Where each item of a project lies, what its active take plays, and what speaks against work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from nlecompanion.errors import DocumentError
from nlecompanion.model import LeftAlone, Reason

from .tree import Block, Project

#: The name of our line in an item's `EXT` block, which REAPER keeps for whoever wrote it.
EXT_KEY = "nlecompanion"
_NUMBER = re.compile(r"^[+-]?\d{1,12}(?:\.\d{0,40})?(?:[eE][+-]?\d{1,2})?$")
_NO_FILE = {"MIDI", "MIDIPOOL", "CLICK", "LTC", "EMPTY"}
_MAX_S = 10_000_000
_MONO_FIRST = 3
_STEREO_PAIRS = 67


@dataclass(frozen=True, slots=True)
class OwnMedia:
    """What our line says of a cleaned file: its first sample's timecode, length, rate, channels."""

    start_s: Fraction
    length_samples: int
    rate_hz: int
    channels: int

    @property
    def start_sample(self) -> int:
        """The start timecode in whole samples."""
        return round(self.start_s * self.rate_hz)


@dataclass(frozen=True, slots=True)
class Item:
    """One item: times in exact seconds as written; `source` is its active take's outermost source.

    `file` is empty where there is none; `own` is set on items that we added. `take_lines` are the
    active take's own lines.
    """

    address: str
    track: Block
    track_number: int
    block: Block
    position_s: Fraction
    length_s: Fraction
    offset_s: Fraction
    file: str
    name: str
    channel_mode: int
    source: Block | None
    take_lines: tuple[int, ...]
    left_alone: LeftAlone | None
    own: OwnMedia | None

    @property
    def channels(self) -> tuple[int, ...] | None:
        """The file's channels that the take picks, None for all."""
        if _MONO_FIRST <= self.channel_mode < _STEREO_PAIRS:
            return (self.channel_mode - _MONO_FIRST,)
        # Swapped, mixed and paired channels stay so: the cleaned file keeps all of the file's.
        return None


class Bad(Exception):
    """A value that cannot be one; the message says which."""


def number(text: str, what: str) -> Fraction:
    """A decimal number as an exact fraction.

    Raises:
        Bad: not a number, or too large to be one.
    """
    if _NUMBER.match(text) is None:
        raise Bad(f"its {what} is {text[:40]!r}, which is no number")
    value = Fraction(text)
    if abs(value) > _MAX_S:
        raise Bad(f"its {what} is {text[:40]}, which is too large")
    return value


def project_items(project: Project) -> Iterator[Item]:
    """All items that make sound, track by track."""
    tracks = project.tracks()
    muted = _muted(project, tracks)
    for track_number, track in enumerate(tracks, start=1):
        blocks = [block for block in track.blocks if block.kind == "ITEM"]
        for index, block in enumerate(blocks, start=1):
            item = _item(project, track, track_number, index, block, muted[track_number - 1])
            if item is not None:
                yield item


def item_at(items: dict[str, Item], address: str, project: Project) -> Item:
    """The item of that address.

    Raises:
        DocumentError: there is none.
    """
    if address not in items:
        raise DocumentError(
            f"{project.name} has no item at {address!r}. It is not the project that the plan was "
            "made from; run the timeline again."
        )
    return items[address]


def _word(project: Project, block: Block, key: str, index: int, default: str) -> str:
    line = project.find(block, key)
    return default if line is None else _at(project.words(line), index, default)


def _at(words: tuple[str, ...], index: int, default: str) -> str:
    return words[index] if index < len(words) else default


def _muted(project: Project, tracks: list[Block]) -> list[LeftAlone | None]:
    """Per track, whether it or a folder that it lies in is muted."""
    folders: list[bool] = []
    result: list[LeftAlone | None] = []
    for track in tracks:
        off = _word(project, track, "MUTESOLO", 1, "0") not in ("0", "")
        if off:
            result.append(LeftAlone(Reason.MUTED, "its track is muted"))
        elif any(folders):
            result.append(LeftAlone(Reason.MUTED, "its folder track is muted"))
        else:
            result.append(None)
        depth = _word(project, track, "ISBUS", 2, "0")
        change = int(depth) if re.fullmatch(r"-?\d{1,3}", depth) else 0
        if change > 0:
            folders += [off, *([False] * (change - 1))]
        elif change < 0:
            del folders[change:]
    return result


@dataclass(frozen=True, slots=True)
class _Take:
    """One take: its own lines and blocks."""

    lines: tuple[int, ...]
    blocks: tuple[Block, ...]
    selected: bool


def _takes(project: Project, block: Block) -> list[_Take]:
    """The takes of an item. The first one has no line of its own: it begins with the item."""
    starts = [n for n in block.lines if project.key(n) == "TAKE"]
    bounds = [block.first, *starts, block.last]
    return [
        _Take(
            tuple(n for n in block.lines if start < n < end),
            tuple(inner for inner in block.blocks if start < inner.first < end),
            start in starts and "SEL" in project.words(start)[1:],
        )
        for start, end in pairwise(bounds)
    ]


def _item(
    project: Project,
    track: Block,
    track_number: int,
    index: int,
    block: Block,
    track_muted: LeftAlone | None,
) -> Item | None:
    takes = _takes(project, block)
    take = next((take for take in takes if take.selected), takes[0])
    source = next((inner for inner in take.blocks if inner.kind == "SOURCE"), None)
    if source is None:
        return None  # an empty item: text, or a take without sound
    values = {project.key(n): project.words(n) for n in reversed(take.lines)}
    guid = _word(project, block, "IGUID", 1, "")
    times = {"POSITION": Fraction(0), "LENGTH": Fraction(0), "SOFFS": Fraction(0)}
    left_alone: LeftAlone | None = None
    try:
        for key in ("POSITION", "LENGTH"):
            times[key] = number(_word(project, block, key, 1, "0"), key)
            if times[key] < 0:
                raise Bad(f"its {key} is below 0")
        times["SOFFS"] = number(_at(values.get("SOFFS", ()), 1, "0"), "SOFFS")
        playing = _playing(project, source)
    except Bad as error:
        left_alone = LeftAlone(Reason.UNSUPPORTED, str(error))
        playing = _Playing("", Fraction(0), None, None)
    off = _off(project, block, takes) or track_muted
    left_alone = off or left_alone or playing.left_alone or _take_reason(project, take, values)
    left_alone = left_alone or _bounds(times, playing) or _lanes(project, track)
    own = own_media(project, block)
    if left_alone is None and own is not None:
        left_alone = LeftAlone(Reason.ALREADY_CLEANED, "its media was made by nlecompanion")
    mode = _at(values.get("CHANMODE", ()), 1, "0")
    return Item(
        address=f"T{track_number}/I{index}:{guid}",
        track=track,
        track_number=track_number,
        block=block,
        position_s=times["POSITION"],
        length_s=times["LENGTH"],
        offset_s=times["SOFFS"] + playing.start_s,
        file=playing.file,
        name=_at(values.get("NAME", ()), 1, ""),
        channel_mode=int(mode) if re.fullmatch(r"\d{1,3}", mode) else 0,
        source=source,
        take_lines=take.lines,
        left_alone=left_alone,
        own=own,
    )


def _off(project: Project, block: Block, takes: list[_Take]) -> LeftAlone | None:
    if _word(project, block, "MUTE", 1, "0") not in ("0", ""):
        return LeftAlone(Reason.DISABLED, "it is muted")
    volume = next((n for n in takes[0].lines if project.key(n) == "VOLPAN"), None)
    text = "1" if volume is None else _at(project.words(volume), 1, "1")
    if _NUMBER.match(text) and Fraction(text) == 0:
        return LeftAlone(Reason.DISABLED, "its volume is 0")
    if len(takes) > 1 and _word(project, block, "ALLTAKES", 1, "0") not in ("0", ""):
        return LeftAlone(Reason.UNSUPPORTED, "it plays all of its takes at once")
    return None


def _take_reason(
    project: Project, take: _Take, values: dict[str, tuple[str, ...]]
) -> LeftAlone | None:
    rate = _at(values.get("PLAYRATE", ()), 1, "1")
    if _NUMBER.match(rate) is None:
        return LeftAlone(Reason.UNSUPPORTED, f"its play rate is {rate[:40]!r}")
    if Fraction(rate) != 1:
        return LeftAlone(Reason.RETIMED, f"it plays at {float(Fraction(rate)) * 100:g} % speed")
    if any(project.key(n) == "SM" for n in take.lines):
        return LeftAlone(Reason.RETIMED, "it has stretch markers")
    return None


def _bounds(times: dict[str, Fraction], playing: _Playing) -> LeftAlone | None:
    if times["LENGTH"] == 0:
        return LeftAlone(Reason.TOO_SHORT, "it has no length")
    if times["SOFFS"] < 0:
        return LeftAlone(Reason.UNSUPPORTED, "it begins before its source does")
    if playing.length_s is not None and times["SOFFS"] + times["LENGTH"] > playing.length_s:
        return LeftAlone(Reason.UNSUPPORTED, "it loops a section of its source")
    return None


def _lanes(project: Project, track: Block) -> LeftAlone | None:
    if _word(project, track, "FREEMODE", 1, "0") == "2":
        return LeftAlone(
            Reason.UNSUPPORTED, "its track has fixed lanes. Leave only the comp on it and save."
        )
    return None


@dataclass(frozen=True, slots=True)
class _Playing:
    """What a source plays: its file, and where a section of it starts and how long it is."""

    file: str
    start_s: Fraction
    length_s: Fraction | None
    left_alone: LeftAlone | None


def _playing(project: Project, source: Block) -> _Playing:
    """Follows sections inwards to the file.

    Raises:
        Bad: a time that cannot be one.
    """
    start_s, length_s = Fraction(0), None
    left_alone: LeftAlone | None = None
    while _type(source) == "SECTION":
        # SECTION's MODE: 2 plays backwards; 1 leaves the section's bounds out of account.
        mode = _word(project, source, "MODE", 1, "0")
        if mode in ("2", "3"):
            left_alone = LeftAlone(Reason.REVERSED, "it plays backwards")
        elif mode != "0":
            left_alone = LeftAlone(Reason.UNSUPPORTED, f"its section is of mode {mode[:20]}")
        if length_s is not None:
            left_alone = left_alone or LeftAlone(Reason.UNSUPPORTED, "it is a section of a section")
        start_s += number(_word(project, source, "STARTPOS", 1, "0"), "STARTPOS")
        length_s = number(_word(project, source, "LENGTH", 1, "0"), "section's LENGTH")
        inner = next((block for block in source.blocks if block.kind == "SOURCE"), None)
        if inner is None:
            return _Playing("", start_s, length_s, left_alone or _no_file("SECTION"))
        source = inner
    kind = _type(source)
    file = _word(project, source, "FILE", 1, "")
    if kind in _NO_FILE:
        why = LeftAlone(Reason.GENERATED, f"its source is {kind}, not a recording")
        return _Playing("", start_s, length_s, why)
    if kind == "RPP_PROJECT" or file.lower().endswith(".rpp"):
        left_alone = LeftAlone(Reason.NESTED, f"a project in the project: {file}")
    if not file:
        left_alone = left_alone or _no_file(kind)
    return _Playing(file, start_s, length_s, left_alone)


def _type(source: Block) -> str:
    return _at(source.words, 1, "").upper()


def _no_file(kind: str) -> LeftAlone:
    return LeftAlone(Reason.OFFLINE, f"its source {kind} names no file. Relink it and save again.")


def is_picture(item: Item) -> bool:
    """Whether a source of the item has a picture, which muting would take away as well."""
    pending = list(item.block.blocks)
    while pending:
        block = pending.pop()
        if block.kind == "SOURCE" and _type(block) == "VIDEO":
            return True
        pending += block.blocks
    return False


def own_media(project: Project, block: Block) -> OwnMedia | None:
    """What our own line in the item says, if it is one of ours."""
    for inner in block.blocks:
        if inner.kind != "EXT":
            continue
        for line in inner.lines:
            words = project.words(line)
            if words and words[0] == EXT_KEY:
                return _own(_at(words, 1, "").split(" "))
    return None


def _own(values: list[str]) -> OwnMedia | None:
    if len(values) != 4 or not all(re.fullmatch(r"-?\d{1,18}(/[1-9]\d{0,8})?", v) for v in values):
        return None
    if not all(v.isdigit() for v in values[1:]):
        return None
    rate_hz = int(values[2])
    if not 1 <= rate_hz <= 768_000:
        return None
    return OwnMedia(Fraction(values[0]), int(values[1]), rate_hz, int(values[3]))
