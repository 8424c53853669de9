"""Writes a cut as Premiere exports it: FCP7 XML (`xmeml` 4), stereo exploded into mono tracks.

Structure after Apple's Final Cut Pro XML Interchange Format and Premiere's own exports: files are
defined at their first clip and referred to by id after it; what is cut together is linked; a clip
that a transition overlaps has -1 as its start or end.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nlecompanion.units import can_drop_frames, nominal_rate, timecode_from_frames

#: Premiere counts time in these, a number that all frame and sample rates divide.
PPRO_TICKS_PER_S = 254_016_000_000


@dataclass(frozen=True, slots=True)
class CutFile:
    """A media file as the document lists it; sound files count in the sequence's frames."""

    path: Path
    rate: Fraction
    duration_frames: int
    start_frame: int = 0
    channels: int = 2
    sample_rate_hz: int = 48_000
    picture: bool = False
    drop_frame: bool = False


@dataclass(frozen=True, slots=True)
class SoundTrack:
    """A track as the editor sees it: a stereo one is written as two."""

    name: str
    channels: int = 2


@dataclass(frozen=True, slots=True)
class Edit:
    """A stretch of a file in the cut.

    `record_frame` and `duration_frames` count the sequence's frames, `source_frame` the file's own
    from its first. `track` names the sound track, "" for picture alone; `channels` are the file's.
    """

    file: CutFile
    record_frame: int
    duration_frames: int
    source_frame: int
    track: str = ""
    picture: bool = False
    name: str = ""
    channels: tuple[int, ...] = (0, 1)
    enabled: bool = True
    speed_percent: int = 100
    gain: float = 1.0

    @property
    def record_end_frame(self) -> int:
        """The first frame after the edit."""
        return self.record_frame + self.duration_frames


@dataclass(frozen=True, slots=True)
class Crossfade:
    """A transition on a sound track, from `start_frame` to `end_frame` around the cut."""

    track: str
    start_frame: int
    cut_frame: int
    end_frame: int


@dataclass(frozen=True, slots=True)
class Cut:
    """A whole sequence."""

    name: str
    rate: Fraction
    start_frame: int
    tracks: tuple[SoundTrack, ...]
    edits: tuple[Edit, ...]
    crossfades: tuple[Crossfade, ...] = ()
    drop_frame: bool = False
    size: tuple[int, int] = (1920, 1080)
    sample_rate_hz: int = 48_000


@dataclass(frozen=True, slots=True)
class _Item:
    """One `clipitem`: an edit's picture, or one channel of its sound."""

    number: int
    edit: Edit
    kind: str
    track_index: int
    clip_index: int
    channel: int = 0


def premiere_xml(cut: Cut) -> str:
    """The document's text: UTF-8, tabs, DOCTYPE, as Premiere writes it."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    template = files("nlecompanion.templates").joinpath("demo/scene.xml.j2")
    return environment.from_string(template.read_text("utf-8")).render(**_document(cut))


def path_url(path: Path) -> str:
    """A path as Premiere writes it: `file://localhost/` and percent signs, the colon too."""
    return "file://localhost/" + quote(path.as_posix().lstrip("/"), safe="/").replace("%3A", "%3a")


def _document(cut: Cut) -> dict[str, Any]:
    picture, rows = _items(cut)
    linked: dict[int, list[_Item]] = {}
    for item in [*picture, *(item for _, _, row in rows for item in row)]:
        linked.setdefault(id(item.edit), []).append(item)
    write = _ClipWriter(cut, linked)
    return {
        "name": cut.name,
        "sequence_rate": _rate(cut.rate),
        "duration": max(edit.record_end_frame for edit in cut.edits),
        "sequence_timecode": _timecode(cut.start_frame, cut.rate, cut.drop_frame),
        "width": cut.size[0],
        "height": cut.size[1],
        "sample_rate_hz": cut.sample_rate_hz,
        "picture": [write.clip(item) for item in picture],
        "sound": [
            {
                "name": track.name,
                "kind": {1: "Mono", 2: "Stereo"}.get(track.channels, "Multichannel"),
                "part": part,
                "parts": track.channels,
                "output": part % 2 + 1,
                "items": write.row(track, row),
            }
            for track, part, row in rows
        ],
    }


def _items(cut: Cut) -> tuple[list[_Item], list[tuple[SoundTrack, int, list[_Item]]]]:
    """The picture's items and, for each exploded track, its part number and items."""
    edits = sorted(cut.edits, key=lambda edit: edit.record_frame)
    shown = [edit for edit in edits if edit.picture]
    picture = [_Item(i, edit, "video", 1, i) for i, edit in enumerate(shown, start=1)]
    number = len(picture)
    rows: list[tuple[SoundTrack, int, list[_Item]]] = []
    for track in cut.tracks:
        heard = [edit for edit in edits if edit.track == track.name]
        for part in range(track.channels):
            row = []
            for clip_index, edit in enumerate(heard, start=1):
                number += 1
                channel = edit.channels[part]
                row.append(_Item(number, edit, "audio", len(rows) + 1, clip_index, channel))
            rows.append((track, part, row))
    return picture, rows


class _ClipWriter:
    """Turns items into what the template prints; remembers which files are defined already."""

    def __init__(self, cut: Cut, linked: dict[int, list[_Item]]) -> None:
        self._cut = cut
        self._linked = linked
        self._file_numbers: dict[CutFile, int] = {}

    def row(self, track: SoundTrack, items: list[_Item]) -> list[dict[str, Any]]:
        """The clips of an exploded track with its transitions, in record order."""
        fades = [fade for fade in self._cut.crossfades if fade.track == track.name]
        printed = [(item.edit.record_frame, 1, self.clip(item)) for item in items]
        printed += [(fade.cut_frame, 0, self._transition(fade, items)) for fade in fades]
        return [values for _, _, values in sorted(printed, key=lambda entry: entry[:2])]

    def clip(self, item: _Item) -> dict[str, Any]:
        """One `clipitem`."""
        edit, file = item.edit, item.edit.file
        lead, tail = self._overlaps(item)
        per_frame = file.rate / self._cut.rate
        speed = Fraction(edit.speed_percent, 100)
        # in and out lie on the clip's own clock: source time divided by its speed.
        source_in = Fraction(edit.source_frame) / speed - (lead or 0) * per_frame
        source_out = source_in + ((lead or 0) + edit.duration_frames + (tail or 0)) * per_frame
        new_file = file not in self._file_numbers
        file_number = self._file_numbers.setdefault(file, len(self._file_numbers) + 1)
        links = self._linked[id(edit)]
        return {
            "type": "clip",
            "number": item.number,
            "file_number": file_number,
            "file": self._file(file) if new_file else None,
            "name": edit.name or file.path.name,
            "enabled": edit.enabled,
            "duration": file.duration_frames,
            "rate": _rate(file.rate),
            "start": edit.record_frame if lead is None else -1,
            "end": edit.record_end_frame if tail is None else -1,
            "in": round(source_in),
            "out": round(source_out),
            "ticks_in": int(source_in / file.rate * PPRO_TICKS_PER_S),
            "ticks_out": int(source_out / file.rate * PPRO_TICKS_PER_S),
            "kind": item.kind,
            "channel_kind": "stereo" if len(edit.channels) == 2 else "mono",
            "source_track": item.channel + 1,
            "speed_percent": edit.speed_percent,
            "gain": edit.gain,
            "links": links if len(links) > 1 else [],
        }

    def _overlaps(self, item: _Item) -> tuple[int | None, int | None]:
        """Frames that transitions take before and after the edit; None where there is none."""
        lead = tail = None
        for fade in self._cut.crossfades if item.kind == "audio" else ():
            if fade.track == item.edit.track and fade.cut_frame == item.edit.record_frame:
                lead = fade.cut_frame - fade.start_frame
            if fade.track == item.edit.track and fade.cut_frame == item.edit.record_end_frame:
                tail = fade.end_frame - fade.cut_frame
        return lead, tail

    def _transition(self, fade: Crossfade, items: list[_Item]) -> dict[str, Any]:
        before = any(item.edit.record_end_frame == fade.cut_frame for item in items)
        after = any(item.edit.record_frame == fade.cut_frame for item in items)
        alignment = "center" if before and after else "start-black" if after else "end-black"
        return {
            "type": "transition",
            "start": fade.start_frame,
            "end": fade.end_frame,
            "alignment": alignment,
            "cut_ticks": int(fade.cut_frame / self._cut.rate * PPRO_TICKS_PER_S),
        }

    def _file(self, file: CutFile) -> dict[str, Any]:
        return {
            "name": file.path.name,
            "url": path_url(file.path),
            "rate": _rate(file.rate),
            "duration": file.duration_frames,
            "timecode": _timecode(file.start_frame, file.rate, file.drop_frame),
            "picture": file.picture,
            "channels": file.channels,
            "sample_rate_hz": file.sample_rate_hz,
        }


def _rate(rate: Fraction) -> dict[str, Any]:
    return {"timebase": nominal_rate(rate), "ntsc": rate.denominator == 1001}


def _timecode(frame: int, rate: Fraction, drop_frame: bool) -> dict[str, Any]:
    drop_frame = drop_frame and can_drop_frames(rate)
    return {
        "rate": _rate(rate),
        "string": timecode_from_frames(frame, rate, drop_frame),
        "frame": frame,
        "format": "DF" if drop_frame else "NDF",
    }
