"""Extraction, split and everything that is measured on the way, in one pass over the region."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.diagnose import RegionMeasures, window_of
from nlecompanion.diagnosis.levels import LevelMeter
from nlecompanion.diagnosis.speech import SpeechMeter, clip_spans, speech_spans
from nlecompanion.engines.blocks import split_blocks
from nlecompanion.engines.contract import Engine
from nlecompanion.media.arriving import ArrivingTake
from nlecompanion.media.extract import read_region
from nlecompanion.media.scratch import ScratchAudio
from nlecompanion.model import Region, Span, Split
from nlecompanion.work.target import BLOCK_SAMPLES, Tick


def extract_and_split(
    region: Region, engine: Engine, take: ScratchAudio, voice: ScratchAudio, tick: Tick
) -> RegionMeasures:
    """Fills both scratch files; the split follows the extraction, which runs beside it."""
    arriving = ArrivingTake(take)
    with ThreadPoolExecutor(max_workers=1) as beside:
        extraction = beside.submit(_extract, region, arriving)
        try:
            voice_powers, background_powers = _split(region, engine, arriving, voice, tick)
        except BaseException:
            arriving.stop()
            raise
        measures = extraction.result()
    return replace(
        measures,
        voice_speech=_hidden_speech(region, measures, voice),
        voice_powers=voice_powers,
        background_powers=background_powers,
    )


def _extract(region: Region, arriving: ArrivingTake) -> RegionMeasures:
    speech, levels = SpeechMeter(region.rate_hz), LevelMeter(region.rate_hz)
    blocks = read_region(
        region.media, region.channels, region.rate_hz, region.start_sample, region.end_sample
    )
    for block in arriving.filled(blocks):
        speech.push(block)
        levels.push(block)
    return RegionMeasures(speech_spans(speech.finish(), _length_s(region)), levels.finish())


def _split(
    region: Region, engine: Engine, arriving: ArrivingTake, voice: ScratchAudio, tick: Tick
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fills the voice; returns the hop powers of voice and background."""
    voice_levels, background_levels = LevelMeter(region.rate_hz), LevelMeter(region.rate_hz)

    def keep(split: Split) -> None:
        voice.append(split.voice.samples)
        voice_levels.push(split.voice.samples)
        background_levels.push(split.background.samples)

    with ThreadPoolExecutor(max_workers=1) as beside:
        kept: Future[None] | None = None
        for split in split_blocks(
            engine, arriving.read, region.length_samples, region.rate_hz, len(region.channels)
        ):
            if kept is not None:
                kept.result()  # one block at a time: memory stays flat
            kept = beside.submit(keep, split)
            tick(len(split.voice.samples) / region.rate_hz)
        if kept is not None:
            kept.result()
    return voice_levels.finish(), background_levels.finish()


def _hidden_speech(
    region: Region, measures: RegionMeasures, voice: ScratchAudio
) -> tuple[Span, ...] | None:
    """Speech in the voice estimate, where the mixture hides that of some use; else None."""
    if all(clip_spans(measures.speech, window_of(use, region)) for use in region.uses):
        return None
    speech = SpeechMeter(region.rate_hz)
    for position in range(0, region.length_samples, BLOCK_SAMPLES):
        count = min(BLOCK_SAMPLES, region.length_samples - position)
        speech.push(voice.read(position, count))
    return speech_spans(speech.finish(), _length_s(region))


def _length_s(region: Region) -> Fraction:
    return Fraction(region.length_samples, region.rate_hz)
