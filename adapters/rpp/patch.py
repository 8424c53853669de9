"""Carries a conform plan out on the lines of a copy of the project."""

from __future__ import annotations

import hashlib
import math
import re
import uuid
from fractions import Fraction
from pathlib import Path

from nlecompanion.model import CleanedClip, CleanTrack, ConformPlan, Loss, TimelineMarker

from .items import EXT_KEY, Item, is_picture, item_at, project_items
from .read import facts_of
from .tree import Block, Project, open_project, quoted, split_words

_GUID = re.compile(r"\{[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}")
_ABSOLUTE = re.compile(r"^(?:[/\\]|[A-Za-z]:)")
#: Lines that hold a GUID of their own; other GUIDs point elsewhere (pooled envelopes, events).
_OWN_IDS = {"IGUID", "GUID", "FXID", "EGUID"}
#: A native colour, 0x01BBGGRR.
_COLORS = {
    "RED": 0x10000FF,
    "ORANGE": 0x10080FF,
    "YELLOW": 0x100FFFF,
    "GREEN": 0x100FF00,
    "CYAN": 0x1FFFF00,
    "BLUE": 0x1FF0000,
    "PURPLE": 0x1A02080,
    "MAGENTA": 0x1FF00FF,
    "PINK": 0x1C0A0FF,
    "WHITE": 0x1FFFFFF,
    "BLACK": 0x1000000,
}
_DECIMALS = 14


def patch_document(path: Path, plan: ConformPlan, target: Path) -> tuple[Loss, ...]:
    """Writes the conformed copy of `path` to `target`.

    Raises:
        DocumentError: the plan names an address that the project does not have.
    """
    patcher = _Patcher(open_project(path), plan)
    target.write_bytes(patcher.patched())
    return tuple(patcher.losses)


class _Patcher:
    """Lines to replace, and lines to add after others; the project itself is not touched."""

    def __init__(self, project: Project, plan: ConformPlan) -> None:
        self.losses: list[Loss] = []
        self._project = project
        self._plan = plan
        self._items = {item.address: item for item in project_items(project)}
        self._replaced: dict[int, str] = {}
        self._after: dict[int, list[str]] = {}
        self._ids = _Ids(project)

    def patched(self) -> bytes:
        """The copy's bytes."""
        project, root = self._project, self._project.root
        for address in self._plan.disable:
            self._switch_off(item_at(self._items, address, project))
        if self._plan.timeline_name != facts_of(project).name:
            self._set(root, "TITLE", quoted(self._plan.timeline_name), root.first)
        tracks = project.tracks()
        markers = [n for n in root.lines if project.key(n) == "MARKER"]
        before_tracks = tracks[0].first - 1 if tracks else root.last - 1
        self._add(markers[-1] if markers else before_tracks, self._markers(markers))
        last = tracks[-1].last if tracks else root.last - 1
        for track in self._plan.tracks:
            self._add(last, self._track(track))
        if self._plan.tracks:
            self._tell_of_relative_paths()
        lines: list[str] = []
        for number, line in enumerate(project.lines):
            lines.append(self._replaced.get(number, line))
            added = self._after.get(number, ())
            if added and not lines[-1].endswith(("\n", "\r")):
                lines[-1] += project.newline
            lines += added
        return project.encode(lines)

    def _tell_of_relative_paths(self) -> None:
        """REAPER looks for them beside the project, which is handed back in another folder."""
        files = {item.file for item in self._items.values() if item.file}
        relative = [file for file in files if not _ABSOLUTE.match(file)]
        if relative:
            self.losses.append(
                Loss(
                    self._project.name,
                    f"{len(relative)} media files are named relative to the project: put the "
                    "conformed project beside the original before you open it",
                )
            )

    def _add(self, after: int, lines: list[str]) -> None:
        self._after.setdefault(after, []).extend(lines)

    def _line(self, block: Block, text: str) -> str:
        """A line inside a block."""
        return f"{_indent(self._project.lines[block.first])}  {text}{self._project.newline}"

    def _set(self, block: Block, key: str, value: str, after: int) -> None:
        line = self._project.find(block, key)
        if line is None:
            self._add(after, [self._line(block, f"{key} {value}")])
        else:
            self._replaced[line] = self._line(block, f"{key} {value}")

    def _switch_off(self, item: Item) -> None:
        """Mutes an item; one with a picture loses its volume instead, as muting hides pictures."""
        project, block = self._project, item.block
        key, index, value = ("VOLPAN", 1, "0") if is_picture(item) else ("MUTE", 1, "1")
        line = project.find(block, key)
        if line is None:
            rest = " 0 1 -1" if key == "VOLPAN" else " 0"
            after = project.find(block, "LENGTH")
            place = block.first if after is None else after
            self._add(place, [self._line(block, f"{key} {value}{rest}")])
        else:
            self._replaced[line] = _with_word(project.lines[line], index, value)

    def _markers(self, existing: list[int]) -> list[str]:
        project = self._project
        numbers = [project.words(n)[1] for n in existing if len(project.words(n)) > 1]
        last = max((int(t) for t in numbers if re.fullmatch(r"\d{1,9}", t)), default=0)
        known = {project.words(n)[2:4] for n in existing}  # a second run must not repeat them
        fresh = [
            marker
            for marker in self._plan.markers
            if (decimal(marker.record.start_s), *split_words(quoted(_words(marker)))) not in known
        ]
        return [
            self._line(project.root, _marker(number, marker))
            for number, marker in enumerate(fresh, start=last + 1)
        ]

    def _track(self, track: CleanTrack) -> list[str]:
        """The first original's track, its effects and volume included, with cleaned items only."""
        items = [item_at(self._items, clip.like[0], self._project) for clip in track.clips]
        project, block = self._project, items[0].track
        inner = {n for item in block.blocks if item.kind == "ITEM" for n in _span(item)}
        lines: list[str] = []
        for number in _span(block):
            if number in inner or number == block.last:
                continue
            text = self._track_line(block, number, track)
            if text is not None:
                lines.append(self._ids.renewed(text))
        if not track.enabled and project.find(block, "MUTESOLO") is None:
            lines.insert(1, self._line(block, "MUTESOLO 1 0 0"))
        for clip, item in zip(track.clips, items, strict=True):
            lines += self._item(clip, item)
        lines.append(_ended(project.lines[block.last], project.newline))
        self._routing(track, items[0])
        return lines

    def _track_line(self, block: Block, number: int, track: CleanTrack) -> str | None:
        """One line of the new track's head; None for what belongs to the original alone."""
        project = self._project
        line = project.lines[number]
        if number not in block.lines:
            return _ended(line, project.newline)
        key = project.key(number)
        if key == "NAME":
            return self._line(block, f"NAME {quoted(track.name)}")
        if key == "AUXRECV":
            return None
        fixed = {"MUTESOLO": "0 0 0" if track.enabled else "1 0 0", "ISBUS": "0 0"}
        if key in fixed:
            return self._line(block, f"{key} {fixed[key]}")
        return _with_word(line, 1, "0") if key in ("SEL", "REC") else line

    def _routing(self, track: CleanTrack, item: Item) -> None:
        """What a copy of a track does not take along: its receives, sends and folder."""
        project, block = self._project, item.track
        number = str(item.track_number - 1)
        sends = any(
            project.key(n) == "AUXRECV" and project.words(n)[1:2] == (number,)
            for other in project.tracks()
            for n in other.lines
        )
        receives = any(project.key(n) == "AUXRECV" for n in block.lines)
        if sends or receives:
            self.losses.append(
                Loss(track.name, "the original track's sends and receives are not copied")
            )
        if _in_folder(project, item.track_number):
            self.losses.append(
                Loss(track.name, "it stands last, outside the folder of the original track")
            )

    def _item(self, clip: CleanedClip, item: Item) -> list[str]:
        """The original item with the cleaned file in the place of its active take's source."""
        project, block = self._project, item.block
        source = item.source
        skipped = set() if source is None else set(_span(source))
        media = clip.media
        offset_s = clip.source_in_s
        new = {
            "NAME": quoted(media.path.stem),
            "SOFFS": decimal(offset_s),
            "CHANMODE": "0" if item.channels is not None else str(item.channel_mode),
        }
        lines: list[str] = []
        own = _places(clip) if clip.plain else {}
        if clip.plain:
            skipped |= {n for inner in block.blocks for n in _span(inner)}
        length_line = project.find(block, "LENGTH")
        for number in _span(block):
            line = _ended(project.lines[number], project.newline)
            key = project.key(number) if number in block.lines else ""
            if source is not None and number == source.first:
                lines += self._missing(block, item, new) + self._source(source, str(media.path))
            if number in skipped or (number in item.take_lines and key == "TKM"):
                continue
            if number in item.take_lines and key in new:
                lines.append(self._line(block, f"{key} {new[key]}"))
            elif key in own:
                lines.append(self._line(block, f"{key} {own[key]}"))
            elif key in ("MUTE", "SEL"):
                lines.append(_with_word(line, 1, "0"))
            elif key == "IID":
                lines.append(self._line(block, f"IID {self._ids.item_id()}"))
            else:
                lines.append(self._ids.renewed(line))
            if number == (block.first if length_line is None else length_line):
                lines += self._ext(block, clip)
        return lines

    def _missing(self, block: Block, item: Item, new: dict[str, str]) -> list[str]:
        """SOFFS, where the original take had none."""
        has = any(self._project.key(n) == "SOFFS" for n in item.take_lines)
        return [] if has else [self._line(block, f"SOFFS {new['SOFFS']}")]

    def _source(self, source: Block, path: str) -> list[str]:
        indent, newline = _indent(self._project.lines[source.first]), self._project.newline
        return [
            f"{indent}<SOURCE WAVE{newline}",
            f"{indent}  FILE {quoted(path)}{newline}",
            f"{indent}>{newline}",
        ]

    def _ext(self, block: Block, clip: CleanedClip) -> list[str]:
        """Extension data, which REAPER keeps: the format has no other place for the timecode."""
        media = clip.media
        says = f"{media.start_s} {media.length_samples} {media.rate_hz} {media.channels}"
        inner = f"  {EXT_KEY} {quoted(says)}"
        return [self._line(block, text) for text in ("<EXT", inner, ">")]


def _places(clip: CleanedClip) -> dict[str, str]:
    """What a plain clip says instead of the item whose form it has."""
    fade = "1 0 0 1 0 0 0"
    return {
        "POSITION": decimal(clip.record.start_s),
        "LENGTH": decimal(clip.record.duration_s),
        **dict.fromkeys(("FADEIN", "FADEOUT"), fade),
        "VOLPAN": "1 0 1 -1",
    }


def _words(marker: TimelineMarker) -> str:
    return ". ".join(text for text in (marker.name, marker.comment) if text)


def _marker(number: int, marker: TimelineMarker) -> str:
    color = _COLORS.get(marker.color.upper(), _COLORS["RED"])
    return (
        f"MARKER {number} {decimal(marker.record.start_s)} {quoted(_words(marker))} 0 {color} 1 R"
    )


class _Ids:
    """New GUIDs and item numbers, the same ones for the same project."""

    def __init__(self, project: Project) -> None:
        text = "".join(project.lines)
        self._space = uuid.UUID(bytes=hashlib.sha256(text.encode("utf-8")).digest()[:16])
        self._count = 0
        self._track = ""
        numbers = re.findall(r"^\s*IID (\d{1,9})\s*$", text, re.MULTILINE)
        self._last_item = max((int(n) for n in numbers), default=0)

    def renewed(self, line: str) -> str:
        """The line with a new GUID, where it holds one that names what the line belongs to."""
        words = line[:64].split(None, 1)
        key = words[0] if words else ""
        if key == "TRACKID":
            # It repeats the GUID in the track's first line.
            return _GUID.sub(self._track, line, count=1)
        if key not in _OWN_IDS and key != "<TRACK":
            return line
        self._count += 1
        new = f"{{{str(uuid.uuid5(self._space, str(self._count))).upper()}}}"
        if key == "<TRACK":
            self._track = new
        return _GUID.sub(new, line, count=1)

    def item_id(self) -> int:
        """The next free item number."""
        self._last_item += 1
        return self._last_item


def decimal(seconds: Fraction) -> str:
    """Seconds as REAPER writes them: up to 14 digits after the point, no more than needed."""
    scaled = math.floor(abs(seconds) * 10**_DECIMALS + Fraction(1, 2))
    whole, part = divmod(scaled, 10**_DECIMALS)
    digits = f"{part:0{_DECIMALS}}".rstrip("0")
    sign = "-" if seconds < 0 and scaled else ""
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"


def _span(block: Block) -> range:
    return range(block.first, block.last + 1)


def _indent(line: str) -> str:
    plain = line.lstrip("\ufeff")
    return plain[: len(plain) - len(plain.lstrip(" \t"))]


def _ended(line: str, newline: str) -> str:
    return line if line.endswith(("\n", "\r")) else line + newline


def _with_word(line: str, index: int, word: str) -> str:
    """The line with one of its plain words replaced, and all else as it was."""
    parts = re.split(r"(\s+)", line)
    words = [n for n, part in enumerate(parts) if part and not part.isspace()]
    if index < len(words):
        parts[words[index]] = word
        return "".join(parts)
    body = line.rstrip("\r\n")
    return f"{body} {word}{line[len(body) :]}"


def _in_folder(project: Project, track_number: int) -> bool:
    depth = 0
    for track in project.tracks()[: track_number - 1]:
        line = project.find(track, "ISBUS")
        words = () if line is None else project.words(line)
        if len(words) > 2 and re.fullmatch(r"-?\d{1,3}", words[2]):
            depth += int(words[2])
    return depth > 0
