"""The plan of level and tone at an intensity is the one that the render goes by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from testkit.regions import region_of
from testkit.speech import RATE_HZ, speech

from nlecompanion.media.scratch import ScratchAudio
from nlecompanion.model import Region, Samples
from nlecompanion.plugins import engine_factory
from nlecompanion.settings import Profile, load_profile
from nlecompanion.treatment.chain import Chain, ChainPlan
from nlecompanion.treatment.stems import Stems
from nlecompanion.treatment.tone_finding import NoRoomTone, RoomTone
from nlecompanion.units import gain_from_db
from nlecompanion.work.decide import decide
from nlecompanion.work.finish import (
    FinishMeter,
    Heard,
    finished,
    plan_finish,
    plan_steps,
    same_steps,
    split_stems,
)
from nlecompanion.work.measure import Measured, extract_and_split
from nlecompanion.work.places import place_of, place_tones
from nlecompanion.work.survey import survey
from nlecompanion.work.target import Target
from nlecompanion.work.treat import treat

#: No fades and no peaks near the ceiling: the file is the sum alone.
PROFILE = replace(load_profile("exposed"), fade_ms=0.0)


class Bench:
    """A region, split by `dsp`, with the tone of its place."""

    def __init__(self, folder: Path, sound: Samples, name: str = "a.wav") -> None:
        self.folder = folder
        self.region = region_of(sound, RATE_HZ, folder / name)
        self.take, self.voice = (
            ScratchAudio.create(folder / f"{kind}.f32", RATE_HZ, sound.shape[1])
            for kind in ("take", "voice")
        )
        self.engine = engine_factory("dsp").create()
        self.measured: Measured = extract_and_split(
            self.region, self.engine, self.take, self.voice, lambda _: None
        )
        self.tone: RoomTone | NoRoomTone = place_tones([survey(self.region)], lambda _: None)[
            place_of(self.region)
        ]

    def rendered(self, profile: Profile) -> Samples:
        """What `treat` writes."""
        decision = decide(self.region, self.measured, self.take.read, self.voice.read, profile)
        target = Target(self.folder / "out.wav", self.folder / "out.wav", self.folder)
        treat(
            self.region,
            self.measured,
            decision,
            self.engine,
            profile,
            self.take,
            self.voice,
            target,
            self.tone,
        )
        written, _ = soundfile.read(target.staged, dtype="float32", always_2d=True)
        return np.asarray(written, np.float32)

    def heard(self, profile: Profile, intensity_db: float) -> tuple[Stems, Heard]:
        """What the chain makes at an intensity, and what is measured on it."""
        steps = plan_steps(self.region, self.measured, profile, self.voice.read, intensity_db)
        meter, chain = FinishMeter(self.region), Chain(steps, RATE_HZ, self.take.channels)
        split = split_stems(self.region, self.take, self.voice)
        every = list(meter.after(chain.run(meter.before(split))))
        stems = Stems(
            np.concatenate([block.voice for block in every]),
            np.concatenate([block.background for block in every]),
        )
        return stems, meter.finish(self.measured.speech)

    def played(self, stems: Stems, heard: Heard, intensity_db: float) -> Samples:
        """What a player with stems, gains and tone gives."""
        plan = plan_finish(heard, self.tone, self.measured, intensity_db, PROFILE)
        mixed = stems.voice + np.float32(gain_from_db(-intensity_db)) * stems.background
        return np.concatenate(
            list(finished(lambda start, count: mixed[start : start + count], plan, self.region))
        )


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path, speech(9, 2, noise=0.004))
    with made.take, made.voice:
        yield made


def test_one_measurement_serves_every_intensity(bench: Bench) -> None:
    stems, heard = bench.heard(PROFILE, 12)
    for intensity_db in (6.0, 12.0):
        written = bench.rendered(replace(PROFILE, intensity_db=intensity_db))
        played = bench.played(stems, heard, intensity_db)
        # 24 bits of the file.
        assert np.abs(written - played).max() <= 2**-23


def test_steps_are_the_same_where_intensity_moves_none(bench: Bench) -> None:
    def steps(intensity_db: float, presence_db: float = 0.0) -> ChainPlan:
        return plan_steps(
            bench.region, bench.measured, PROFILE, bench.voice.read, intensity_db, presence_db
        )

    assert same_steps(steps(6), steps(12))
    assert not same_steps(steps(6), steps(6, 2.0))


def test_names_and_ids_do_not_change_the_sound(tmp_path: Path) -> None:
    sound = speech(5, noise=0.004)
    written = []
    for name in ("a.wav", "b.wav"):
        one = Bench(tmp_path, sound, name)
        one.region = replace(one.region, id=name)
        with one.take, one.voice:
            written.append(one.rendered(PROFILE))
    assert np.array_equal(written[0], written[1])


def test_the_tone_goes_on_where_handles_overlap(bench: Bench) -> None:
    assert isinstance(bench.tone, RoomTone)
    silent = np.zeros((RATE_HZ, 2), np.float32)

    def tone_of(first: int) -> Samples:
        region: Region = replace(bench.region, start_sample=first, end_sample=first + len(silent))
        _, heard = bench.heard(PROFILE, 12)
        plan = plan_finish(heard, bench.tone, bench.measured, 12, PROFILE)
        mute = replace(plan, level=replace(plan.level, gain_db=0.0, ride=None))
        return np.concatenate(
            list(finished(lambda start, count: silent[start : start + count], mute, region))
        )

    earlier, later = tone_of(10_000), tone_of(30_000)
    assert earlier.any()
    assert np.array_equal(earlier[20_000:], later[: len(later) - 20_000])
