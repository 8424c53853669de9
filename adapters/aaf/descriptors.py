"""What a file's descriptor says: channels, sample rate, length, and where the file lies.

WAVE and AIFC descriptors carry the head of the file itself (RIFF `fmt `: Microsoft's Multimedia
Programming Interface 1.0; `COMM`: Apple's AIFF-C draft).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from .values import AafObject, fraction_of, is_a, items_of, text_of, unique, value_of

_SOUNDING = ("SoundDescriptor", "WAVEDescriptor", "AIFCDescriptor")
_MAX_RATE_HZ = 768_000
_MAX_CHANNELS = 256


@dataclass(frozen=True, slots=True)
class FileSound:
    """Channels (0 where nobody says), samples a second and a channel; None where it is silent."""

    channels: int
    rate_hz: int | None
    length_samples: int | None


def file_sound(descriptor: AafObject) -> FileSound:
    """What the descriptor, or the sound part of a multiple one, says."""
    parts = [descriptor, *items_of(descriptor, "FileDescriptors")]
    for part in parts:
        if any(
            is_a(part, kind) for kind in ("SoundDescriptor", "WAVEDescriptor", "AIFCDescriptor")
        ):
            return _sound(part)
    return FileSound(0, None, None)


def _sound(descriptor: AafObject) -> FileSound:
    rate = fraction_of(value_of(descriptor, "AudioSamplingRate"))
    rate = rate or fraction_of(value_of(descriptor, "SampleRate"))
    channels = value_of(descriptor, "Channels", 0) or _channels_in(descriptor)
    if not isinstance(channels, int) or not 0 <= channels <= _MAX_CHANNELS:
        channels = 0
    length = value_of(descriptor, "Length")
    counted = fraction_of(value_of(descriptor, "SampleRate"))
    rate_hz = _rate_hz(rate)
    whole = isinstance(length, int) and length > 0 and counted == rate
    return FileSound(channels, rate_hz, length if whole else None)


def _rate_hz(rate: Fraction | None) -> int | None:
    if rate is None or rate.denominator != 1 or not 0 < rate <= _MAX_RATE_HZ:
        return None
    return int(rate)


def _channels_in(descriptor: AafObject) -> int:
    summary = value_of(descriptor, "Summary")
    data = bytes(summary) if summary is not None else b""
    for name, offset, order in ((b"fmt ", 10, "<"), (b"COMM", 8, ">")):
        place = data.find(name)
        if place >= 0 and place + offset + 2 <= len(data):
            return int(struct.unpack_from(f"{order}H", data, place + offset)[0])
    return 0


def locator_urls(descriptor: AafObject) -> list[str]:
    """The paths or URLs that a descriptor, or a part of it, names."""
    return list(unique(_urls(descriptor)))


def _urls(descriptor: AafObject) -> Iterator[str]:
    for part in (descriptor, *items_of(descriptor, "FileDescriptors")):
        for locator in items_of(part, "Locator"):
            url = text_of(locator, "URLString")
            if url:
                yield url
