"""One stretch of a file through the pipeline's own functions, with the sound after every step."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile

from nlecompanion.diagnosis.diagnose import diagnose
from nlecompanion.engines.contract import Engine
from nlecompanion.media.probe import probe
from nlecompanion.media.scratch import ScratchAudio
from nlecompanion.model import MediaFile, Region, Samples, Span, Use
from nlecompanion.settings import Profile
from nlecompanion.treatment.chain import ChainPlan
from nlecompanion.treatment.de_echo import apply_de_echo
from nlecompanion.treatment.finishing import apply_finishing
from nlecompanion.treatment.method import Method, choose_method
from nlecompanion.treatment.room_tone import apply_room_tone
from nlecompanion.treatment.rumble import apply_rumble
from nlecompanion.treatment.stems import Stems
from nlecompanion.treatment.tone_finding import NoRoomTone, RoomTone
from nlecompanion.treatment.tone_grid import Mask
from nlecompanion.treatment.tone_measures import FloorMeter
from nlecompanion.units import gain_from_db
from nlecompanion.work.decide import Decision, decide
from nlecompanion.work.measure import Measured, extract_and_split, split_again
from nlecompanion.work.neighbours import neighbour_floors_db
from nlecompanion.work.places import place_of, place_tones
from nlecompanion.work.survey import survey
from nlecompanion.work.target import Target
from nlecompanion.work.treat import Treated, treat

RATE_HZ = 48_000
#: The sound as recorded, then after each step; the last is the written file.
STEPS = ("recorded", "split", "rumble", "de-echo", "finishing", "level", "room tone", "file")


@dataclass(frozen=True, slots=True)
class Tools:
    """As the pipeline has them: `main` splits, `light` where the voice stands clear already."""

    main: Engine
    light: Engine
    profile: Profile


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """What a region's surroundings decide: the tone of its place, and the clips next to it."""

    tone: RoomTone | NoRoomTone
    neighbour_floor_db: float | None
    joined: tuple[bool, bool]


@dataclass(frozen=True, slots=True, eq=False)
class Worked:
    """A region after its treatment; `sounds` by step, `stems` the voice alone by step.

    `treat_s` is the processor time of the chain after the split.
    """

    name: str
    region: Region
    measured: Measured
    decision: Decision
    treated: Treated
    method: Method
    sounds: dict[str, Samples]
    voices: dict[str, Samples]
    quiet: Mask
    treat_s: float

    @property
    def length_s(self) -> float:
        """Seconds of sound."""
        return self.region.length_samples / self.region.rate_hz

    @property
    def speech(self) -> tuple[Span, ...]:
        """Where somebody speaks."""
        return self.measured.speech


def stretch(
    path: Path, start_s: Fraction, end_s: Fraction, handles_s: Fraction, name: str
) -> Region:
    """A region of one use between these instants, with handles as far as the file goes."""
    media = probe(path)
    (stream, *_) = media.streams
    use = _use(media, start_s, end_s, name)
    last_s = min(end_s + handles_s, media.duration_s)
    return Region(
        id=name,
        media=media,
        channels=tuple(range(stream.channels)),
        rate_hz=RATE_HZ,
        start_sample=max(0, int((start_s - handles_s) * RATE_HZ)),
        end_sample=int(last_s * RATE_HZ),
        uses=(use,),
        frame_rate=Fraction(25),
        media_start_s=Fraction(0),
    )


def _use(media: MediaFile, start_s: Fraction, end_s: Fraction, name: str) -> Use:
    span = Span(start_s, end_s - start_s)
    return Use(
        id=name,
        name=name,
        track="A1",
        track_number=1,
        record=span,
        source=span,
        media_url=media.path.as_uri(),
        media_start_s=None,
        channels=None,
        addresses=(name,),
        frame_rate=None,
    )


def surroundings(regions: Sequence[Region], profile: Profile) -> list[Beside]:
    """Of the regions of one track, which follow on each other, as the pipeline finds them."""
    surveys = [survey(region) for region in regions]
    tones = place_tones(surveys, lambda _: None)
    floors_db = neighbour_floors_db([(s.region, s.track) for s in surveys], profile)
    last = len(regions) - 1
    return [
        Beside(tones[place_of(region)], floors_db.get(region.id), (number > 0, number < last))
        for number, region in enumerate(regions)
    ]


def work(region: Region, tools: Tools, beside: Beside) -> Worked | None:
    """The region through extraction, split, decision and treatment; None without speech in it."""
    channels = len(region.channels)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        take, voice = (
            stack.enter_context(ScratchAudio.create(folder / name, region.rate_hz, channels))
            for name in ("take.f32", "voice.f32")
        )
        measured = extract_and_split(region, tools.main, take, voice, lambda _: None)
        if not measured.speech:
            return None
        ratio_db = diagnose(region.uses[0], region, measured.measures).sbr_db
        route = choose_method(
            ratio_db,
            light_sbr_db=tools.profile.light_sbr_db,
            hostile_sbr_db=tools.profile.hostile_sbr_db,
        )
        engine = tools.light if route.method is Method.LIGHT else tools.main
        if engine is not tools.main:
            measured = split_again(region, engine, measured, take, voice)
        floor_db = beside.neighbour_floor_db
        decision = decide(region, measured, take.read, voice.read, tools.profile, floor_db)
        target = Target(folder / "out.wav", folder / "out.wav", folder, beside.joined, floor_db)
        started_s = time.process_time()
        treated = treat(
            region, measured, decision, engine, tools.profile, take, voice, target, beside.tone
        )
        treat_s = time.process_time() - started_s
        written, _ = soundfile.read(target.staged, dtype="float32", always_2d=True)
        length = region.length_samples
        given = Stems(voice.read(0, length), take.read(0, length) - voice.read(0, length))
        recorded = take.read(0, length)
    sounds, voices = _after_each_step(region, decision, treated, given)
    return Worked(
        name=region.id,
        region=region,
        measured=measured,
        decision=decision,
        treated=treated,
        method=route.method,
        sounds={"recorded": recorded, **sounds, "file": written},
        voices=voices,
        quiet=_quiet(recorded, region.rate_hz, measured.speech),
        treat_s=treat_s,
    )


def _quiet(recorded: Samples, rate_hz: int, speech: tuple[Span, ...]) -> Mask:
    """The frames in which the floors of all steps are measured: the recording's gaps."""
    meter = FloorMeter(rate_hz, recorded.shape[1])
    for position in range(0, len(recorded), 10 * rate_hz):
        meter.push(recorded[position : position + 10 * rate_hz])
    return meter.quiet(speech)


def _after_each_step(
    region: Region, decision: Decision, treated: Treated, given: Stems
) -> tuple[dict[str, Samples], dict[str, Samples]]:
    """The mix at the chosen intensity, and the voice alone, as each step leaves them."""
    gain = np.float32(gain_from_db(-decision.intensity_db))
    sounds, voices = {}, {}
    for name, stems in _chain(treated.chain, given, region.rate_hz):
        sounds[name] = stems.voice + gain * stems.background
        voices[name] = stems.voice
    levelled = sounds["finishing"] * np.float32(gain_from_db(treated.level.gain_db))
    sounds["level"] = levelled
    sounds["room tone"] = apply_room_tone(levelled, region.start_sample, treated.tone.reader())
    return sounds, voices


def _chain(plan: ChainPlan, given: Stems, rate_hz: int) -> Iterator[tuple[str, Stems]]:
    yield "split", given
    quiet = joined_stems(apply_rumble([given], plan.rumble, rate_hz))
    yield "rumble", quiet
    dried = joined_stems(apply_de_echo([quiet], plan.de_echo, rate_hz))
    yield "de-echo", dried
    yield "finishing", joined_stems(apply_finishing([dried], plan.finishing, rate_hz))


def joined_stems(blocks: Iterator[Stems]) -> Stems:
    """All blocks as one."""
    every = list(blocks)
    return Stems(
        np.concatenate([block.voice for block in every]),
        np.concatenate([block.background for block in every]),
    )
