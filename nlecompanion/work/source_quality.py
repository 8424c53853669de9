"""What a stretch of a source is worth: voice over background, bandwidth, codec damage, clipping."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.bandwidth import BandwidthMeter
from nlecompanion.diagnosis.clipping import ClippingMeter
from nlecompanion.diagnosis.diagnose import RegionMeasures, diagnose
from nlecompanion.diagnosis.findings import SHORT_S
from nlecompanion.diagnosis.levels import LevelMeter
from nlecompanion.diagnosis.spectra import FrameStream, frame_samples, power_of
from nlecompanion.diagnosis.speech import SpeechMeter, speech_spans
from nlecompanion.engines.blocks import split_blocks
from nlecompanion.engines.contract import Engine
from nlecompanion.model import Region, Samples, SourceQuality, Span, Use


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A stretch's quality and its voice estimate, float32 of the stretch's shape."""

    quality: SourceQuality
    voice: Samples


def hear(sound: Samples, use: Use, region: Region, engine: Engine) -> Heard:
    """Measures a stretch of shape (samples, channels) at the region's rate, as uses are measured.

    Raises:
        EngineError: the engine failed on it.
    """
    rate_hz, count = region.rate_hz, len(sound)
    voice = _voice(sound, rate_hz, engine)
    length_s = Fraction(count, rate_hz)
    speech = _speech(sound, rate_hz, length_s)
    measures = RegionMeasures(
        speech=speech,
        powers=_powers(sound, rate_hz),
        voice_speech=None if speech else _speech(voice, rate_hz, length_s),
        voice_powers=_powers(voice, rate_hz),
        background_powers=_powers(sound - voice, rate_hz),
    )
    # The stretch as a region of its own with one use that fills it.
    diagnosis = diagnose(
        replace(use, source=Span(Fraction(0), length_s)),
        replace(region, start_sample=0, end_sample=count),
        measures,
    )
    bandwidth = BandwidthMeter(rate_hz, frame_samples(rate_hz, SHORT_S))
    clipping = ClippingMeter(sound.shape[1])
    clipping.push(sound)
    frame = frame_samples(rate_hz, SHORT_S)
    for spectra in FrameStream(frame, frame // 2, sound.shape[1]).push(sound):
        bandwidth.push(power_of(spectra))
    reach, cut = bandwidth.finish(), clipping.finish()
    quality = SourceQuality(
        sbr_db=diagnosis.sbr_db,
        highest_hz=None if reach is None else reach.highest_hz,
        codec_damaged=reach is not None and reach.codec_damaged,
        clipped=cut is not None and cut.clipped,
    )
    return Heard(quality, voice)


def _voice(sound: Samples, rate_hz: int, engine: Engine) -> Samples:
    parts = split_blocks(
        engine, lambda start, end: sound[start:end], len(sound), rate_hz, sound.shape[1]
    )
    return np.concatenate([part.voice.samples for part in parts])


def _speech(sound: Samples, rate_hz: int, length_s: Fraction) -> tuple[Span, ...]:
    meter = SpeechMeter(rate_hz)
    meter.push(sound)
    return speech_spans(meter.finish(), length_s)


def _powers(sound: Samples, rate_hz: int) -> NDArray[np.float64]:
    meter = LevelMeter(rate_hz)
    meter.push(sound)
    return meter.finish()
