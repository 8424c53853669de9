"""All measurements of a region, gathered: two sets of meters, fed in the two passes.

`MixtureMeters` hears the region as recorded, while it is extracted; `SplitMeters` hears the voice
and background estimates, while they are made. `gather` puts both into one `Findings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

from nlecompanion.diagnosis.background_kind import BackgroundKind, background_kind, in_gaps
from nlecompanion.diagnosis.bands import BandLevels, BandMeter
from nlecompanion.diagnosis.bandwidth import Bandwidth, BandwidthMeter
from nlecompanion.diagnosis.channels import ChannelMeter, Channels
from nlecompanion.diagnosis.clipping import Clipping, ClippingMeter
from nlecompanion.diagnosis.hum import Hum, HumMeter
from nlecompanion.diagnosis.limiting import Limiting, LimitingMeter
from nlecompanion.diagnosis.noise_floor import NoiseFloor, noise_floor
from nlecompanion.diagnosis.pitch import Pitch, PitchMeter
from nlecompanion.diagnosis.plosives import Plosive, PlosiveMeter
from nlecompanion.diagnosis.reverberation import Reverberation, reverberation
from nlecompanion.diagnosis.rumble import Rumble, RumbleMeter
from nlecompanion.diagnosis.spectra import Decimator, FrameStream, frame_samples, power_of
from nlecompanion.diagnosis.tones import ToneMeter, Tones
from nlecompanion.model import Samples, Span

#: Short frames at the full rate; frames and long frames at the low rate.
SHORT_S, LOW_S, LONG_S = 0.0213, 0.0853, 1.365
#: The voice estimate's room is asked where the mixture's floor is less than this under speech.
_CLEAN_DB = 25.0


@dataclass(frozen=True, slots=True)
class Findings:
    """What was measured on one region; None where it could not be, see each measurement.

    `background` comes from the background estimate, or from the mixture's gaps before the split;
    `reverberation` from the mixture where that is clean, else from the voice estimate;
    `voice_bandwidth` and `pitch` from the voice estimate; all else from the mixture.
    """

    background: BackgroundKind | None
    noise_floor: NoiseFloor | None
    reverberation: Reverberation | None
    clipping: Clipping | None
    limiting: Limiting | None
    bandwidth: Bandwidth | None
    voice_bandwidth: Bandwidth | None
    hum: Hum | None
    rumble: Rumble | None
    plosives: tuple[Plosive, ...]
    channels: Channels | None
    pitch: Pitch | None


class _Looks:
    """The short, low and long frames of one signal, from one pass over its blocks."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        self.short_frame = frame_samples(rate_hz, SHORT_S)
        self.short_hop = self.short_frame // 2
        self.decimator = Decimator(rate_hz, channels)
        self.low_rate_hz = self.decimator.rate_hz
        self.low_frame = frame_samples(self.low_rate_hz, LOW_S)
        self.long_frame = frame_samples(self.low_rate_hz, LONG_S)
        self.short = FrameStream(self.short_frame, self.short_hop, channels)
        self.low = FrameStream(self.low_frame, self.low_frame // 4, channels)
        self.long = FrameStream(self.long_frame, self.long_frame // 4, channels)


class MixtureMeters:
    """Wants the region as recorded, in order: float32 blocks of shape (samples, channels)."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        looks = self._looks = _Looks(rate_hz, channels)
        short, hop, low_hz = looks.short_frame, looks.short_hop, looks.low_rate_hz
        self.clipping = ClippingMeter(channels)
        self.limiting = LimitingMeter(rate_hz, short, hop)
        self.bands = BandMeter(rate_hz, short, hop)
        self.bandwidth = BandwidthMeter(rate_hz, short)
        self.channels = ChannelMeter(rate_hz, short, hop, low_hz, channels)
        self.tones = ToneMeter(low_hz, looks.low_frame)
        self.plosives = PlosiveMeter(low_hz, looks.low_frame)
        self.pitch = PitchMeter(low_hz, looks.low_frame)
        self.hum = HumMeter(low_hz, looks.long_frame, looks.long.hop_samples)
        self.rumble = RumbleMeter(low_hz, looks.long_frame)

    def push(self, block: Samples) -> None:
        """Takes the next block."""
        if not len(block):
            return
        self.clipping.push(block)
        self.limiting.push(block)
        for spectra in self._looks.short.push(block):
            power = power_of(spectra)
            self.limiting.push_power(power)
            self.bands.push(power)
            self.bandwidth.push(power)
            self.channels.push(spectra, power)
        low = self._looks.decimator.push(block)
        for spectra in self._looks.low.push(low):
            power = power_of(spectra)
            self.tones.push(power)
            self.plosives.push(power)
            self.pitch.push(power)
        for spectra in self._looks.long.push(low):
            power = power_of(spectra)
            self.hum.push(power)
            self.rumble.push(power)
            self.channels.push_long(spectra)


class SplitMeters:
    """Wants both estimates of the split, block by block, in order, of the mixture's shape."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        voice, background = _Looks(rate_hz, channels), _Looks(rate_hz, channels)
        self._voice, self._background = voice, background
        self.voice_bands = BandMeter(rate_hz, voice.short_frame, voice.short_hop)
        self.voice_bandwidth = BandwidthMeter(rate_hz, voice.short_frame)
        self.pitch = PitchMeter(voice.low_rate_hz, voice.low_frame)
        self.bands = BandMeter(rate_hz, voice.short_frame, voice.short_hop)
        self.tones = ToneMeter(voice.low_rate_hz, voice.low_frame)

    def push(self, voice: Samples, background: Samples) -> None:
        """Takes the next block of both."""
        if not len(voice):
            return
        for spectra in self._voice.short.push(voice):
            power = power_of(spectra)
            self.voice_bands.push(power)
            self.voice_bandwidth.push(power)
        for spectra in self._voice.low.push(self._voice.decimator.push(voice)):
            self.pitch.push(power_of(spectra))
        for spectra in self._background.short.push(background):
            self.bands.push(power_of(spectra))
        for spectra in self._background.low.push(self._background.decimator.push(background)):
            self.tones.push(power_of(spectra))


def gather(mixture: MixtureMeters, split: SplitMeters | None, speech: tuple[Span, ...]) -> Findings:
    """All measurements. `speech` counts from the region's first sample; `split` may be missing."""
    bands, tones = mixture.bands.finish(), mixture.tones.finish()
    floor = noise_floor(bands, speech)
    pitch = (split.pitch if split else mixture.pitch).finish(speech)
    lowest_hz = pitch.lowest_hz if pitch else None
    return Findings(
        background=_background(bands, tones, split, speech),
        noise_floor=floor,
        reverberation=_room(bands, floor, split, speech),
        clipping=mixture.clipping.finish(),
        limiting=mixture.limiting.finish(speech),
        bandwidth=mixture.bandwidth.finish(),
        voice_bandwidth=split.voice_bandwidth.finish() if split else None,
        hum=mixture.hum.finish(),
        rumble=mixture.rumble.finish(lowest_hz),
        plosives=mixture.plosives.finish(speech, lowest_hz),
        channels=mixture.channels.finish(speech),
        pitch=pitch,
    )


def _background(
    bands: BandLevels, tones: Tones, split: SplitMeters | None, speech: tuple[Span, ...]
) -> BackgroundKind | None:
    if split is not None:
        return background_kind(split.bands.finish(), split.tones.finish())
    return background_kind(*in_gaps(bands, tones, speech))


def _room(
    bands: BandLevels,
    floor: NoiseFloor | None,
    split: SplitMeters | None,
    speech: tuple[Span, ...],
) -> Reverberation | None:
    clean = floor is not None and (floor.under_speech_db or 0.0) >= _CLEAN_DB
    if split is None or clean:
        return reverberation(bands, speech)
    return reverberation(split.voice_bands.finish(), speech)


def receipt_values(findings: Findings) -> dict[str, Any]:
    """The findings as plain JSON values: units in the keys, null where nothing was measured.

    Levels and ratios (`_db`, `_dbfs`, `_lufs`) to 0.1, frequencies (`_hz`) to 0.1, times (`_s`,
    `_ms`) to a thousandth, shares and surenesses to 0.001. Keys are those of each measurement's
    own fields.
    """
    plain = _plain(asdict(findings), "")
    if not isinstance(plain, dict):
        raise TypeError("findings are a mapping")
    return plain


def _plain(value: Any, key: str) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(part, str(name)) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(part, key) for part in value]
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, Fraction):
        return round(float(value), 3)
    if isinstance(value, float):
        tenth = key.endswith(("_db", "_dbfs", "_lufs", "_hz"))
        return round(value, 1 if tenth else 3)
    return value
