"""One region through the unit of work: level, tone, peaks and edges end in a file that fits."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from testkit.model import use
from testkit.profiles import BARE
from testkit.shared import shared
from testkit.sound import level_db, read_sound
from testkit.speech import RATE_HZ, speech
from testkit.stems import spoken

from nlecompanion.diagnosis.loudness import LoudnessMeter, loudness_hops, loudness_lufs
from nlecompanion.diagnosis.true_peak import TruePeakMeter
from nlecompanion.media.probe import probe
from nlecompanion.model import Reason, Region, Samples, Span
from nlecompanion.plugins import engine_factory
from nlecompanion.settings import Profile, load_profile
from nlecompanion.timeline.regions import plan_regions
from nlecompanion.treatment.tone_finding import NoRoomTone, RoomTone
from nlecompanion.treatment.tone_measures import (
    Floor,
    FloorMeter,
    colour_difference_db,
    edge_step_db,
)
from nlecompanion.work import RegionOutcome, Target, Tools, work_region
from nlecompanion.work.places import place_tones
from nlecompanion.work.survey import survey

EXPOSED = load_profile("exposed")
#: Nothing is kept for being good already, and no step does anything.
UNTOUCHED = replace(BARE, fade_ms=0.0)


def region_of(
    folder: Path, sound: Samples, start_s: float = 0, end_s: float | None = None
) -> Region:
    """A use from `start_s` to `end_s` of a written sound, with half a second of handles."""
    path = folder / "place.wav"
    if not path.exists():
        soundfile.write(path, sound, RATE_HZ, "PCM_24")
    first_s = Fraction(start_s)
    last_s = Fraction(len(sound), RATE_HZ) if end_s is None else Fraction(end_s)
    one = use(
        source=Span(first_s, last_s - first_s),
        media_url=path.as_uri(),
        media_start_s=None,
        channels=tuple(range(sound.shape[1])),
    )
    (region,) = plan_regions([one], {one.media_url: probe(path)}, Fraction(1, 2), RATE_HZ)
    return region


def worked(
    folder: Path,
    region: Region,
    profile: Profile = EXPOSED,
    engine: str = "dsp",
    tone: RoomTone | NoRoomTone | None = None,
) -> tuple[RegionOutcome, Samples | None]:
    """What became of the region, and the sound of its file."""
    made = engine_factory(engine).create()
    staged = folder / "cleaned.wav"
    target = Target(staged, staged, folder, (False, False))
    outcome = work_region(region, Tools(made, made), profile, target, lambda _: None, tone)
    if outcome.cleaned is None:
        assert not staged.exists()
        return outcome, None
    written, rate_hz = soundfile.read(staged, dtype="float32", always_2d=True)
    assert rate_hz == RATE_HZ
    return outcome, written


def speech_lufs(sound: Samples, of: Samples) -> float:
    meter = LoudnessMeter(RATE_HZ, sound.shape[1])
    meter.push(sound)
    powers = meter.finish()
    found = loudness_lufs(powers, loudness_hops(spoken(of), powers.size))
    assert found is not None
    return found


def floor(sound: Samples, of: Samples) -> Floor:
    meter = FloorMeter(RATE_HZ, sound.shape[1])
    meter.push(sound)
    found = meter.finish(spoken(of))
    assert found is not None
    return found


@pytest.mark.parametrize("engine", ["dsp", "passthrough"])
def test_a_cleaned_file_fits_its_original(tmp_path: Path, engine: str) -> None:
    sound = speech(12, channels=2)
    profile = replace(EXPOSED, keep_sbr_db=200.0)
    outcome, written = worked(tmp_path, region_of(tmp_path, sound), profile, engine)
    assert written is not None
    assert written.shape == sound.shape
    voice = speech(12, channels=2, noise=0)
    heard = float(np.vdot(written, voice) / np.vdot(voice, voice))
    assert abs(20 * np.log10(heard)) <= 0.5
    assert floor(written, sound).lowest_db > -80
    assert np.abs(written[[0, -1]]).max() < 10 ** (-60 / 20)
    meter = TruePeakMeter(RATE_HZ, 2)
    meter.push(written)
    assert meter.finish() <= max(EXPOSED.ceiling_dbtp, 20 * np.log10(np.abs(sound).max())) + 0.05
    assert outcome.account is not None
    account = json.loads(json.dumps(outcome.account))
    assert set(account) >= {"rumble", "de_echo", "finishing", "level", "room_tone", "limit"}


def test_the_background_goes_down_and_the_floor_does_not_open_and_close(tmp_path: Path) -> None:
    sound = speech(12, channels=2)
    _, written = worked(tmp_path, region_of(tmp_path, sound))
    assert written is not None
    before, after = floor(sound, sound), floor(written, sound)
    assert after.level_db < before.level_db - 2
    assert after.deviation_db <= 2


def test_switched_off_the_file_is_the_recording(tmp_path: Path) -> None:
    sound = speech(6, channels=2)
    region = region_of(tmp_path, sound)
    outcome, written = worked(tmp_path, region, UNTOUCHED, "passthrough")
    recorded, _ = soundfile.read(region.media.path, dtype="float32", always_2d=True)
    assert written is not None
    # A file's own dead ends are faded where nothing joins; fades of 0 ms are none.
    assert np.array_equal(written, recorded)
    assert outcome.clipped_samples == 0


def test_the_same_twice(tmp_path: Path) -> None:
    region = region_of(tmp_path, speech(6))
    written = []
    for _ in range(2):
        worked(tmp_path, region)
        written.append((tmp_path / "cleaned.wav").read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize("intensities_db", [(None, None), (6.0, 15.0), (18.0, 9.0)])
def test_regions_of_one_place_share_a_tone_and_their_floors_meet(
    tmp_path: Path, intensities_db: tuple[float | None, float | None]
) -> None:
    said = speech(16, noise=0)
    # A pause of 1.5 s in every 4 s, where the place is heard: in the middle, where they meet.
    said[(np.arange(len(said)) + RATE_HZ) % (4 * RATE_HZ) < 1.5 * RATE_HZ] = 0
    room = np.random.default_rng(1).normal(0, 0.004, said.shape)
    sound = (said + room).astype(np.float32)
    regions = [region_of(tmp_path, sound, *cut) for cut in ((1.0, 8.0), (8.0, 15.0))]
    tones = place_tones([survey(region) for region in regions], lambda _: None)
    (tone,) = tones.values()
    floors = []
    for region, intensity_db in zip(regions, intensities_db, strict=True):
        profile = replace(EXPOSED, intensity_db=intensity_db)
        outcome, written = worked(tmp_path, region, profile, tone=tone)
        assert written is not None
        assert outcome.tone is not None
        assert outcome.tone[1].tone is tone
        original = sound[region.start_sample : region.end_sample]
        floors.append(floor(written, original))
    assert abs(floors[0].level_db - floors[1].level_db) <= 1
    assert colour_difference_db(floors[0].band_db, floors[1].band_db) <= 2
    step_db = edge_step_db(*floors)
    assert step_db is not None
    assert step_db <= 1.5
    assert max(one.deviation_db for one in floors) <= 2


def test_speech_is_as_loud_as_a_target_asks(tmp_path: Path) -> None:
    sound = speech(8)
    profile = replace(EXPOSED, target_lufs=-27.0)
    _, written = worked(tmp_path, region_of(tmp_path, sound), profile)
    assert written is not None
    assert speech_lufs(written, sound) == pytest.approx(-27, abs=0.5)


def unbroken(seconds: float) -> Samples:
    """Two voices, one over the other's pauses."""
    one, other = speech(seconds), np.roll(speech(seconds, noise=0), RATE_HZ // 2, axis=0)
    return (one + other).astype(np.float32)


BAD = {
    "short": speech(0.4),
    "0.3 s": speech(0.3),
    "no gap": unbroken(6),
    "clipped": np.clip(20 * speech(4), -1, 1).astype(np.float32),
    "mono in stereo": np.repeat(speech(5), 2, axis=1),
    "one dead channel": np.concatenate([speech(5), np.zeros((5 * RATE_HZ, 1), np.float32)], axis=1),
    "5.1": speech(4, channels=6),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_right_or_left_alone_with_the_reason(tmp_path: Path, kind: str) -> None:
    sound = BAD[kind]
    outcome, written = worked(tmp_path, region_of(tmp_path, sound))
    if written is None:
        left_alone = outcome.reports[0].left_alone
        assert left_alone is not None
        assert left_alone.detail
        return
    assert written.shape == sound.shape
    assert np.isfinite(written).all()
    assert level_db(written) <= level_db(sound) + 1


def test_mono_in_stereo_stays_mono(tmp_path: Path) -> None:
    _, written = worked(tmp_path, region_of(tmp_path, BAD["mono in stereo"]))
    assert written is not None
    # A tone may be wide where the recording's own floor is; this one's is not.
    assert np.abs(written[:, 0] - written[:, 1]).max() < 2**-22


def test_music_throughout_is_no_room_tone(tmp_path: Path) -> None:
    music, rate_hz = read_sound(shared("audio/music/visqol_guitar48_stereo.flac"))
    assert rate_hz == RATE_HZ
    said = speech(10, 2, noise=0)
    sound = (said + 0.5 * np.resize(music, said.shape)).astype(np.float32)
    outcome, written = worked(tmp_path, region_of(tmp_path, sound))
    assert written is not None
    assert outcome.account is not None
    tone = outcome.account["room_tone"]
    assert not tone["on"] or tone["estimated"]
    assert tone["target_floor_dbfs"] < tone["original_floor_dbfs"]


@pytest.mark.parametrize("seconds", [0.3, 4.0])
def test_silence_is_left_alone(tmp_path: Path, seconds: float) -> None:
    silence = np.zeros((round(seconds * RATE_HZ), 2), np.float32)
    outcome, written = worked(tmp_path, region_of(tmp_path, silence))
    assert written is None
    left_alone = outcome.reports[0].left_alone
    assert left_alone is not None
    assert left_alone.reason is Reason.NO_SPEECH
