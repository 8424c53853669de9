"""Extraction, split and everything that is measured on the way, in one pass over the region."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.diagnose import RegionMeasures, speech_in, window_of
from nlecompanion.diagnosis.findings import Findings, MixtureMeters, SplitMeters, gather
from nlecompanion.diagnosis.levels import LevelMeter
from nlecompanion.diagnosis.loudness import LoudnessMeter
from nlecompanion.diagnosis.speech import FRAME_S, SpeechMeter, clip_spans, speech_spans
from nlecompanion.engines.blocks import Read as BlockRead
from nlecompanion.engines.blocks import split_blocks
from nlecompanion.engines.contract import Engine
from nlecompanion.media.arriving import ArrivingTake
from nlecompanion.media.extract import read_region
from nlecompanion.media.scratch import ScratchAudio
from nlecompanion.model import Region, Samples, Span, Split
from nlecompanion.treatment.chain import HumLines
from nlecompanion.treatment.hum_lines import HumLineMeter
from nlecompanion.treatment.voice_bands import VoiceBandMeter, VoiceBands
from nlecompanion.work.target import BLOCK_SAMPLES, Tick, layout_of

#: Mean probability of a stretch of the voice estimate that is surely speech: what a split makes of
#: music and of crowds gets less.
_SURE = 0.65


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """All that is known of a region once it is split.

    `speech`: where somebody speaks, in the voice estimate for uses in which the mixture hides it;
    `probabilities`: the speech detector's on the mixture, one every 32 ms; `loudness`: K-weighted
    powers of the mixture, one every 100 ms; `hum`: lines of mains hum in it; `voice_bands`: the
    voice estimate's levels.
    """

    measures: RegionMeasures
    speech: tuple[Span, ...]
    probabilities: NDArray[np.float32]
    loudness: NDArray[np.float64]
    findings: Findings
    hum: HumLines
    voice_bands: VoiceBands


class _Extraction:
    """What is measured on the mixture while it arrives."""

    def __init__(self, region: Region) -> None:
        channels = len(region.channels)
        self.speech = SpeechMeter(region.rate_hz)
        self.levels = LevelMeter(region.rate_hz)
        self.loudness = LoudnessMeter(region.rate_hz, channels, layout_of(region))
        self.mixture = MixtureMeters(region.rate_hz, channels)
        self.hum = HumLineMeter(region.rate_hz, channels)

    def run(self, region: Region, arriving: ArrivingTake) -> None:
        """Reads the whole region."""
        blocks = read_region(
            region.media, region.channels, region.rate_hz, region.start_sample, region.end_sample
        )
        for block in arriving.filled(blocks):
            self.speech.push(block)
            self.levels.push(block)
            self.loudness.push(block)
            self.mixture.push(block)
            self.hum.push(block)


def extract_and_split(
    region: Region, engine: Engine, take: ScratchAudio, voice: ScratchAudio, tick: Tick
) -> Measured:
    """Fills both scratch files; the split follows the extraction, which runs beside it."""
    arriving = ArrivingTake(take)
    heard = _Extraction(region)
    with ThreadPoolExecutor(max_workers=1) as beside:
        extraction = beside.submit(heard.run, region, arriving)
        try:
            estimates = _split_into(region, engine, arriving.read, voice, tick)
        except BaseException:
            arriving.stop()
            raise
        extraction.result()
    probabilities = heard.speech.finish()
    measures = RegionMeasures(
        speech=speech_spans(probabilities, _length_s(region)),
        powers=heard.levels.finish(),
        voice_powers=estimates.voice.finish(),
        background_powers=estimates.background.finish(),
    )
    measures = _with_hidden_speech(region, measures, voice)
    speech = speech_in(region, measures)
    findings = gather(heard.mixture, estimates.meters, speech)
    return Measured(
        measures=measures,
        speech=speech,
        probabilities=probabilities,
        loudness=heard.loudness.finish(),
        findings=findings,
        hum=heard.hum.finish(None if findings.hum is None else findings.hum.fundamental_hz),
        voice_bands=estimates.bands.finish(),
    )


def split_again(
    region: Region, engine: Engine, measured: Measured, take: ScratchAudio, voice: ScratchAudio
) -> Measured:
    """The same region split by another engine: `voice` is filled anew, the rest is kept."""

    def read(start: int, end: int) -> Samples:
        return take.read(start, end - start)

    voice.clear()
    estimates = _split_into(region, engine, read, voice, lambda _: None)
    measures = replace(
        measured.measures,
        voice_powers=estimates.voice.finish(),
        background_powers=estimates.background.finish(),
    )
    return replace(measured, measures=measures, voice_bands=estimates.bands.finish())


class _Estimates:
    """What is measured on voice and background while they are made."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        self.voice, self.background = LevelMeter(rate_hz), LevelMeter(rate_hz)
        self.meters = SplitMeters(rate_hz, channels)
        self.bands = VoiceBandMeter(rate_hz, channels)

    def push(self, split: Split) -> None:
        """Takes the next block of both."""
        voice, background = split.voice.samples, split.background.samples
        self.voice.push(voice)
        self.background.push(background)
        self.meters.push(voice, background)
        self.bands.push(voice)


def _split_into(
    region: Region, engine: Engine, read: BlockRead, voice: ScratchAudio, tick: Tick
) -> _Estimates:
    """Fills the voice; what is measured on both estimates runs beside the split."""
    estimates = _Estimates(region.rate_hz, len(region.channels))

    def keep(split: Split) -> None:
        voice.append(split.voice.samples)
        estimates.push(split)

    with ThreadPoolExecutor(max_workers=1) as beside:
        kept: Future[None] | None = None
        for split in split_blocks(
            engine, read, region.length_samples, region.rate_hz, len(region.channels)
        ):
            if kept is not None:
                kept.result()  # one block at a time: memory stays flat
            kept = beside.submit(keep, split)
            tick(len(split.voice.samples) / region.rate_hz)
        if kept is not None:
            kept.result()
    return estimates


def _with_hidden_speech(
    region: Region, measures: RegionMeasures, voice: ScratchAudio
) -> RegionMeasures:
    """The measures with the voice estimate's speech, where the mixture hides that of some use."""
    if all(clip_spans(measures.speech, window_of(use, region)) for use in region.uses):
        return measures
    meter = SpeechMeter(region.rate_hz)
    for position in range(0, region.length_samples, BLOCK_SAMPLES):
        count = min(BLOCK_SAMPLES, region.length_samples - position)
        meter.push(voice.read(position, count))
    probabilities = meter.finish()
    spans = speech_spans(probabilities, _length_s(region))
    sure = tuple(span for span in spans if _is_sure(span, probabilities))
    hints = tuple(span for span in spans if span not in sure)
    return replace(measures, voice_speech=sure, voice_hints=hints)


def _is_sure(span: Span, probabilities: NDArray[np.float32]) -> bool:
    first = int(span.start_s / FRAME_S)
    end = max(first + 1, int(span.end_s / FRAME_S))
    return float(probabilities[first:end].mean()) >= _SURE


def _length_s(region: Region) -> Fraction:
    return Fraction(region.length_samples, region.rate_hz)
