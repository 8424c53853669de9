"""A use's stems for listening: every intensity is a mix of a few files, made by the render's plans.

For every rung of the ladder, with de-echo and room tone on and off, the very plans that a render
would go by are made (`work/finish.py`), and the stems that they are mixed of are written once for
all rungs that share them:

    level * ride(t) * (voice + background_gain * background) + tone

What the render does after that, limiting peaks, is not linear; where it would, `limited_s` says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nlecompanion.diagnosis.diagnose import window_within
from nlecompanion.diagnosis.moments import moments, windows_in
from nlecompanion.diagnosis.speech import clip_spans
from nlecompanion.media.scratch import ScratchAudio
from nlecompanion.model import Region, Samples, Span, Use
from nlecompanion.treatment.chain import Chain, ChainPlan
from nlecompanion.treatment.edges import apply_edges, plan_edges
from nlecompanion.treatment.gains import GainCurve
from nlecompanion.treatment.ladder import RUNGS_DB
from nlecompanion.treatment.limit import LimitMeter, limit_peaks
from nlecompanion.treatment.sig import sig_of
from nlecompanion.treatment.stems import Stems
from nlecompanion.units import gain_from_db
from nlecompanion.work.decide import climb_for, decide, track_of, window_sound, window_spectra
from nlecompanion.work.finish import (
    FinishMeter,
    FinishPlan,
    Heard,
    ceiling_dbtp,
    plan_finish,
    plan_steps,
    same_steps,
    split_stems,
)
from nlecompanion.work.listening_types import SETTINGS, Listening, Rung, Setting, mixed
from nlecompanion.work.measure import Measured, extract_and_split, split_again
from nlecompanion.work.target import BLOCK_SAMPLES, Tick

if TYPE_CHECKING:
    from nlecompanion.settings import Profile
    from nlecompanion.treatment.room_tone import RoomTonePlan
    from nlecompanion.treatment.tone_finding import NoRoomTone, RoomTone
    from nlecompanion.work import Tools

#: A longer use is cut around its hardest moment: memory and disk are the browser's too.
MOST_S = Fraction(180)
#: A point of the riding curve stands every so often.
RIDE_POINT_S = Fraction(1, 100)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be listened to: a use of a region.

    `profile` is the one of the delivery; its intensity, de-echo and room tone do not count here.
    `delivered` is the intensity, with its presence, that was; `light` says that the light engine
    did it; `joined` and `neighbour_floor_db` are as in `Target`; `handles_s` is heard before and
    after the use.
    """

    region: Region
    use: Use
    profile: Profile
    tone: RoomTone | NoRoomTone
    light: bool
    joined: tuple[bool, bool]
    handles_s: Fraction
    delivered: tuple[float, float] | None = None
    neighbour_floor_db: float | None = None


def prepare(wanted: Wanted, tools: Tools, scratch: Path, folder: Path, tick: Tick) -> Listening:
    """Splits the region, plans every rung and writes the stems of the use into `folder`.

    `tick` is told the seconds of sound that were just split, and may raise to stop.

    Raises:
        MediaError, EngineError, ProgramFailed: the sound cannot be read or split.
        NoSpace, NotWritable: the files cannot be written.
    """
    region, channels = wanted.region, len(wanted.region.channels)
    with (
        ScratchAudio.create(scratch / "take.f32", region.rate_hz, channels) as take,
        ScratchAudio.create(scratch / "voice.f32", region.rate_hz, channels) as voice,
    ):
        measured = extract_and_split(region, tools.main, take, voice, tick)
        if wanted.light and tools.light is not tools.main:
            measured = split_again(region, tools.light, measured, take, voice)
        return _Bench(wanted, measured, take, voice, folder).listening(tick)


class _Bench:
    """One region, measured and split, and the stretch of it that is written."""

    def __init__(
        self,
        wanted: Wanted,
        measured: Measured,
        take: ScratchAudio,
        voice: ScratchAudio,
        folder: Path,
    ) -> None:
        self._wanted, self._measured = wanted, measured
        self._take, self._voice = take, voice
        self._folder = folder
        self._region = wanted.region
        self._moment, self._first, self._end, self._cut = _stretch(wanted, measured)
        self._edges = plan_edges(self._region, wanted.profile.fade_ms / 1000, wanted.joined)
        self._tones: dict[str, str] = {}
        self._rides: dict[bytes, str] = {}

    def listening(self, tick: Tick) -> Listening:
        """Plans and writes all of it."""
        profile = self._wanted.profile
        rungs: dict[str, list[Rung]] = {setting.key: [] for setting in SETTINGS}
        known: list[tuple[ChainPlan, Heard, str]] = []
        climbs = self._climbs()
        for de_echo in (True, False):
            for intensity_db, presence_db in climbs:
                tick(0.0)
                steps = plan_steps(
                    self._region,
                    self._measured,
                    replace(profile, de_echo=de_echo),
                    self._voice.read,
                    intensity_db,
                    presence_db,
                )
                heard, stems = self._heard(steps, known)
                for setting in SETTINGS:
                    if setting.de_echo == de_echo:
                        rung = self._rung(setting, steps, intensity_db, heard, stems)
                        rungs[setting.key].append(replace(rung, presence_db=presence_db))
        return self._told(rungs)

    def _climbs(self) -> list[tuple[float, float]]:
        """Every intensity with the presence that the ladder asks for there."""
        wanted, region, measured = self._wanted, self._region, self._measured
        take, voice = self._take.read, self._voice.read
        floor_db = wanted.neighbour_floor_db
        # Which moment decides does not depend on the intensity; nothing costs less to judge than 0.
        untouched = replace(wanted.profile, intensity_db=0.0)
        span = decide(region, measured, take, voice, untouched, floor_db).moment.span
        spectra = window_spectra(span, measured.speech, take, voice, region.rate_hz)

        def presence_db(rung_db: float) -> float:
            fixed = replace(wanted.profile, intensity_db=rung_db)
            found_db = climb_for(spectra, fixed, None, floor_db).presence_db
            if not found_db:
                return 0.0
            # The network can have something against presence; it never asks for any.
            sig = sig_of(*window_sound(span, take, voice, region.rate_hz), region.rate_hz)
            return climb_for(spectra, fixed, sig, floor_db).presence_db

        climbs = {rung_db: presence_db(rung_db) for rung_db in RUNGS_DB}
        return sorted((climbs | dict([wanted.delivered] if wanted.delivered else [])).items())

    def _heard(
        self, steps: ChainPlan, known: list[tuple[ChainPlan, Heard, str]]
    ) -> tuple[Heard, str]:
        """What the chain makes of the whole region, and the name of the stems that it left."""
        for other, heard, stems in known:
            if _same(steps, other):
                return heard, stems
        name = f"{len(known)}"
        chain = Chain(steps, self._region.rate_hz, len(self._region.channels))
        meter = FinishMeter(self._region)
        recorded = split_stems(self._region, self._take, self._voice)
        made = meter.after(chain.run(meter.before(recorded)))
        with self._writer(f"voice-{name}.wav") as voice, self._writer(f"back-{name}.wav") as back:
            for position, block in self._inside(made):
                voice.write(apply_edges(block.voice, position, self._edges))
                back.write(apply_edges(block.background, position, self._edges))
        heard = meter.finish(self._measured.speech)
        known.append((steps, heard, name))
        return heard, name

    def _inside(self, blocks: Iterator[Stems]) -> Iterator[tuple[int, Stems]]:
        """The parts of the region's blocks that lie in the stretch; all are drawn."""
        position = 0
        for block in blocks:
            first = max(self._first - position, 0)
            end = min(self._end - position, len(block))
            if first < end:
                part = Stems(block.voice[first:end], block.background[first:end])
                yield position + first, part
            position += len(block)

    def _writer(self, name: str) -> Any:
        import soundfile

        return soundfile.SoundFile(
            self._folder / name,
            "w",
            samplerate=self._region.rate_hz,
            channels=len(self._region.channels),
            subtype="FLOAT",
            format="WAV",
        )

    def _rung(
        self, setting: Setting, steps: ChainPlan, intensity_db: float, heard: Heard, stems: str
    ) -> Rung:
        profile = setting.of(self._wanted.profile, intensity_db)
        plan = plan_finish(heard, self._wanted.tone, self._measured, intensity_db, profile)
        ride = plan.level.ride
        rung = Rung(
            intensity_db=intensity_db,
            presence_db=0.0,
            voice=f"voice-{stems}.wav",
            background=f"back-{stems}.wav",
            tone=self._tone(plan.tone),
            background_gain=gain_from_db(-intensity_db),
            tone_gain=1.0,
            level_gain=gain_from_db(plan.level.gain_db),
            ride=None if ride is None else self._ride(ride),
            de_echo_on=not steps.de_echo.off,
            limited_s=0.0,
        )
        return replace(rung, limited_s=self._limited_s(rung, plan, profile))

    def _tone(self, plan: RoomTonePlan) -> str | None:
        """The file of the tone under the stretch: one for all rungs whose tone is the same."""
        reader = plan.reader()
        if reader is None or plan.gains is None:
            return None
        key = hashlib.sha256(plan.gains.tobytes()).hexdigest()
        if key not in self._tones:
            name = f"tone-{len(self._tones)}.wav"
            with self._writer(name) as file:
                for position, count in self._blocks():
                    sound = reader.read(self._region.start_sample + position, count)
                    file.write(apply_edges(sound, position, self._edges))
            self._tones[key] = name
        return self._tones[key]

    def _ride(self, curve: GainCurve) -> str:
        """The factor every 10 ms, float32, one point beyond the stretch's end."""
        step = float(RIDE_POINT_S * self._region.rate_hz)
        points = int((self._end - self._first) / step) + 2
        places = self._first + np.arange(points) * step
        factors = np.concatenate([curve.amplitudes(round(place), 1) for place in places])
        content = factors.astype("<f4").tobytes()
        if content not in self._rides:
            name = f"ride-{len(self._rides)}.bin"
            (self._folder / name).write_bytes(content)
            self._rides[content] = name
        return self._rides[content]

    def _blocks(self) -> Iterator[tuple[int, int]]:
        """Positions in the region and counts of samples, over the stretch."""
        for position in range(self._first, self._end, BLOCK_SAMPLES):
            yield position, min(BLOCK_SAMPLES, self._end - position)

    def _limited_s(self, rung: Rung, plan: FinishPlan, profile: Profile) -> float:
        """For how long the render's limiter would be at work in the stretch."""
        rate_hz = self._region.rate_hz
        ceiling = ceiling_dbtp(self._measured, profile)
        meter = LimitMeter(ceiling, rate_hz)
        ride = plan.level.ride

        def blocks() -> Iterator[Samples]:
            for position, block in zip(
                range(self._first, self._end, BLOCK_SAMPLES),
                mixed(rung, self._folder),
                strict=True,
            ):
                if ride is None:
                    yield block.dry + block.tone
                else:
                    gains = ride.amplitudes(position, len(block.dry))[:, None]
                    yield block.dry * gains + block.tone

        for _ in limit_peaks(blocks(), ceiling, rate_hz, meter):
            pass
        return float(meter.finish().limited_s)

    def _told(self, rungs: dict[str, list[Rung]]) -> Listening:
        region = self._region
        with self._writer("original.wav") as file:
            for position, count in self._blocks():
                file.write(self._take.read(position, count))
        return Listening(
            rate_hz=region.rate_hz,
            channels=len(region.channels),
            length_samples=self._end - self._first,
            offset_samples=self._first,
            cut=self._cut,
            moment=self._seconds(self._moment),
            use=self._seconds(window_within(self._wanted.use, region)),
            speech=tuple(
                (float(span.start_s), float(span.end_s))
                for span in clip_spans(
                    self._measured.speech, _span_of(region, self._first, self._end)
                )
            ),
            original="original.wav",
            settings=SETTINGS,
            rungs={key: tuple(each) for key, each in rungs.items()},
        )

    def _seconds(self, span: Span) -> tuple[float, float]:
        """Start and end, seen from the stems' first sample and kept within them."""
        first_s = Fraction(self._first, self._region.rate_hz)
        length_s = Fraction(self._end - self._first, self._region.rate_hz)
        start_s = min(max(span.start_s - first_s, Fraction(0)), length_s)
        end_s = min(max(span.end_s - first_s, Fraction(0)), length_s)
        return float(start_s), float(end_s)


def _same(one: ChainPlan, other: ChainPlan) -> bool:
    """Whether both make the same stems: an echo that is left is left, whatever the reason."""
    if one.de_echo.off and other.de_echo.off:
        return one.finishing.presence_db == other.finishing.presence_db
    return same_steps(one, other)


def _span_of(region: Region, first: int, end: int) -> Span:
    return Span(Fraction(first, region.rate_hz), Fraction(end - first, region.rate_hz))


def _stretch(wanted: Wanted, measured: Measured) -> tuple[Span, int, int, bool]:
    """The use's hardest moment, and first and end sample in the region of what is written."""
    region, rate_hz = wanted.region, wanted.region.rate_hz
    window = window_within(wanted.use, region)
    moment = moments(track_of(measured), windows_in([window]))[0].span
    start_s = max(Fraction(0), window.start_s - wanted.handles_s)
    end_s = min(Fraction(region.length_samples, rate_hz), window.end_s + wanted.handles_s)
    cut = end_s - start_s > MOST_S
    if cut:
        middle_s = moment.start_s + moment.duration_s / 2
        start_s = min(max(start_s, middle_s - MOST_S / 2), end_s - MOST_S)
        end_s = start_s + MOST_S
    first, end = int(start_s * rate_hz), int(end_s * rate_hz)
    return moment, first, max(end, first + 1), cut
