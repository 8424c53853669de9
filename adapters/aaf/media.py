"""The mobs of a cleaned file: a master clip, a file for each channel, and the clock behind them.

The form is Resolve's: every channel has a file mob of its own on the same path, whose track number
says which channel it is; behind it a tape mob holds the timecode.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from fractions import Fraction

from nlecompanion.model import CleanedMedia, Loss

from .making import data_definition, file_url, mob_id, new_mob, new_object, new_slot, no_mob
from .values import AafObject

#: Bit depth of the Broadcast WAVs that the tool writes.
DEPTH_BITS = 24
_MOST_FRAMES_LOOKED_AT = 1001
_FOUR_GIB = 0xFFFFFFFF


@dataclass(slots=True, eq=False)
class MediaShelf:
    """The new files: each gets its mobs at its first use.

    `sound` is the data definition of the document's sound tracks.
    """

    file: AafObject
    sound: AafObject
    identity: str
    losses: list[Loss]
    _known: dict[tuple[str, bool], AafObject] = field(default_factory=dict)

    def master(self, media: CleanedMedia, whole: bool) -> AafObject:
        """The master clip of a file; its slot n+1 is channel n, or slot 1 all of them."""
        key = (media.id, whole)
        if key not in self._known:
            self._known[key] = self._make(media, whole)
        return self._known[key]

    def _make(self, media: CleanedMedia, whole: bool) -> AafObject:
        tracks = 1 if whole else media.channels
        name = media.path.stem
        tape, offset = self._tape(media, name, tracks, whole)
        master = new_mob(self.file, "MasterMob", name, self._id(media, "master", whole))
        for channel in range(tracks):
            physical = 0 if whole else channel + 1
            source = new_mob(
                self.file, "SourceMob", name, self._id(media, f"file {channel}", whole)
            )
            source["EssenceDescription"].value = self._descriptor(media)
            clip = self._clip(media, tape, channel + 2, offset)
            new_slot(source, 1, media.rate_hz, clip, "", physical)
            self.file.content.mobs.append(source)
            clip = self._clip(media, source, 1, 0)
            new_slot(master, channel + 1, media.rate_hz, clip, "", physical)
        self.file.content.mobs.append(master)
        return master

    def _id(self, media: CleanedMedia, part: str, whole: bool) -> AafObject:
        what = (media.path, media.id, media.rate_hz, media.channels, media.length_samples)
        return mob_id(self.identity, *what, media.start_s, part, whole)

    def _clip(
        self, media: CleanedMedia, mob: AafObject | None, slot_id: int, start: int
    ) -> AafObject:
        clip = new_object(self.file, "SourceClip", self.sound)
        clip["Length"].value = media.length_samples
        clip["StartTime"].value = start
        clip["SourceID"].value = no_mob() if mob is None else mob.mob_id
        clip["SourceMobSlotID"].value = slot_id
        return clip

    def _tape(
        self, media: CleanedMedia, name: str, tracks: int, whole: bool
    ) -> tuple[AafObject, int]:
        """The tape mob, and how many samples after its first frame the file begins."""
        rate = media.frame_rate if media.frame_rate and media.frame_rate < 1000 else None
        frame, offset, rate = self._clock(media, rate)
        tape = new_mob(self.file, "SourceMob", name, self._id(media, "tape", whole))
        tape["EssenceDescription"].value = new_object(self.file, "TapeDescriptor")
        length = math.ceil((offset + media.length_samples) / Fraction(media.rate_hz) * rate)
        timecode = new_object(self.file, "Timecode", data_definition(self.file, "Timecode"))
        timecode["Length"].value = max(length, 1)
        timecode["Start"].value, timecode["FPS"].value = frame, math.ceil(rate)
        timecode["Drop"].value = False
        new_slot(tape, 1, f"{rate.numerator}/{rate.denominator}", timecode, "TC1", 1)
        for channel in range(tracks):
            clip = self._clip(media, None, 0, 0)
            clip["Length"].value = offset + media.length_samples
            new_slot(tape, channel + 2, media.rate_hz, clip, "", 0 if whole else channel + 1)
        self.file.content.mobs.append(tape)
        return tape, offset

    def _clock(self, media: CleanedMedia, rate: Fraction | None) -> tuple[int, int, Fraction]:
        """Whole frames and whole samples that add up to the file's start timecode, exactly.

        A frame of 29.97 is no whole number of samples: a few frames back there is one that is.
        """
        for frames in (rate, Fraction(24), Fraction(25), Fraction(30), Fraction(30_000, 1001)):
            if frames is None:
                continue
            last = math.floor(media.start_s * frames)
            for frame in range(last, max(last - _MOST_FRAMES_LOOKED_AT, -1), -1):
                offset = (media.start_s - frame / frames) * media.rate_hz
                if offset.denominator == 1 and offset >= 0:
                    return frame, int(offset), frames
        frames = rate or Fraction(24)
        frame = max(0, math.floor(media.start_s * frames))
        offset = (media.start_s - frame / frames) * media.rate_hz
        self.losses.append(
            Loss(media.path.name, "its start timecode is rounded to the nearest sample")
        )
        return frame, max(0, round(offset)), frames

    def _descriptor(self, media: CleanedMedia) -> AafObject:
        descriptor = new_object(self.file, "WAVEDescriptor")
        descriptor["Summary"].value = _wave_head(media)
        descriptor["Length"].value = media.length_samples
        descriptor["SampleRate"].value = media.rate_hz
        locator = new_object(self.file, "NetworkLocator")
        locator["URLString"].value = file_url(media.path)
        descriptor["Locator"].append(locator)
        return descriptor


def _wave_head(media: CleanedMedia) -> bytes:
    """The head that a plain WAV of this sound has: RIFF, `fmt ` and the start of `data`."""
    frame_bytes = media.channels * DEPTH_BITS // 8
    data_bytes = min(media.length_samples * frame_bytes, _FOUR_GIB - 36)
    form = struct.pack(
        "<4sI4s4sIHHIIHH",
        b"RIFF",
        36 + data_bytes,
        b"WAVE",
        b"fmt ",
        16,
        1,
        media.channels,
        media.rate_hz,
        media.rate_hz * frame_bytes,
        frame_bytes,
        DEPTH_BITS,
    )
    return form + struct.pack("<4sI", b"data", data_bytes)
