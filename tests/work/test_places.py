"""One tone a place: chosen from surveys in any order, and told from the recording alone."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from testkit.regions import region_of
from testkit.shared import shared
from testkit.sound import read_sound
from testkit.speech import RATE_HZ, speech

from nlecompanion.model import Region, Samples
from nlecompanion.treatment.tone_finding import NoRoomTone, RoomTone, ToneKey
from nlecompanion.work.places import music_in_gaps, place_of, place_tones
from nlecompanion.work.survey import survey


def cut(region: Region, start_s: float, end_s: float) -> Region:
    """A part of a region as a region of its own."""
    first, end = int(start_s * RATE_HZ), int(end_s * RATE_HZ)
    return replace(region, id=f"{start_s:g}", start_sample=first, end_sample=end, uses=())


def tones_of(*regions: Region) -> dict[ToneKey, RoomTone | NoRoomTone]:
    return place_tones([survey(region) for region in regions], lambda _: None)


def noise(seconds: float, level_db: float, channels: int = 1, seed: int = 1) -> Samples:
    drawn = np.random.default_rng(seed).standard_normal((int(seconds * RATE_HZ), channels))
    return np.asarray(10 ** (level_db / 20) * drawn, np.float32)


def paused(seconds: int) -> Samples:
    """A voice that holds its breath for 1.5 s in every 5 s."""
    said = speech(seconds, noise=0)
    at_s = np.arange(len(said)) / RATE_HZ
    return said * (at_s % 5 < 3.5).astype(np.float32)[:, None]


def test_the_order_of_the_regions_does_not_matter(tmp_path: Path) -> None:
    whole = region_of(speech(24, noise=0.003), RATE_HZ, tmp_path / "a.wav")
    other = region_of(speech(6, 2, noise=0.003), RATE_HZ, tmp_path / "b.wav")
    surveys = [survey(r) for r in (cut(whole, 0, 7), cut(whole, 7, 16), cut(whole, 16, 24), other)]
    found = []
    for order in itertools.permutations(surveys):
        tones = place_tones(order, lambda _: None)
        assert set(tones) == {place_of(whole), place_of(other)}
        found.append({tone.digest for tone in tones.values() if isinstance(tone, RoomTone)})
    assert all(digests == found[0] for digests in found)
    assert len(found[0]) == 2


def test_a_name_does_not_change_the_tone(tmp_path: Path) -> None:
    sound = speech(8, noise=0.003)
    digests = set()
    for name in ("a.wav", "b.wav"):
        region = region_of(sound, RATE_HZ, tmp_path / name)
        tone = tones_of(replace(region, id=name))[place_of(region)]
        assert isinstance(tone, RoomTone)
        digests.add(tone.digest)
    assert len(digests) == 1


def test_the_region_with_quiet_gaps_is_the_one_that_is_read(tmp_path: Path) -> None:
    said = paused(12)
    busy, calm = noise(12, -60, seed=2), noise(12, -60, seed=3)
    # Swells in every gap of the first half: nothing there holds still.
    swells = 1 + 12 * np.square(np.sin(2 * np.pi * 1.3 * np.arange(len(busy)) / RATE_HZ))
    sound = np.concatenate([said + busy * swells[:, None], said + calm]).astype(np.float32)
    whole = region_of(sound, RATE_HZ, tmp_path / "a.wav")
    tone = tones_of(cut(whole, 0, 12), cut(whole, 12, 24))[place_of(whole)]
    assert isinstance(tone, RoomTone)
    assert not tone.estimated
    # White noise: of 24 kHz, the third octaves hold 100 Hz to 18 kHz.
    assert tone.level_db == pytest.approx(-60 + 10 * np.log10(17.7 / 24), abs=0.7)


def test_a_gap_far_into_a_long_region_is_found(tmp_path: Path) -> None:
    said = np.resize(speech(20, noise=0)[: int(2.2 * RATE_HZ)], (100 * RATE_HZ, 1))
    sound = said + noise(100, -62)
    sound[82 * RATE_HZ : 88 * RATE_HZ] = noise(6, -62, seed=5)
    region = region_of(sound.astype(np.float32), RATE_HZ, tmp_path / "a.wav")
    tone = tones_of(region)[place_of(region)]
    assert isinstance(tone, RoomTone)
    assert not tone.estimated
    assert tone.heard_s >= 4


def test_music_in_the_gaps_is_told_from_the_recording(tmp_path: Path) -> None:
    music, rate_hz = read_sound(shared("audio/music/visqol_guitar48_stereo.flac"))
    assert rate_hz == RATE_HZ
    said = speech(10, 2, noise=0)
    both = said + np.resize(np.float32(0.3) * music, said.shape)
    region = region_of(both.astype(np.float32), RATE_HZ, tmp_path / "a.wav")
    tone = tones_of(region)[place_of(region)]
    assert isinstance(tone, RoomTone)
    assert tone.estimated
    assert music_in_gaps(music[: 8 * RATE_HZ], RATE_HZ, ())
    assert not music_in_gaps(noise(8, -50, 2), RATE_HZ, ())


@pytest.mark.parametrize("seconds", [0.01, 0.3, 4.0])
def test_silence_has_no_tone_and_says_so(tmp_path: Path, seconds: float) -> None:
    silence = np.zeros((int(seconds * RATE_HZ), 2), np.float32)
    region = region_of(silence, RATE_HZ, tmp_path / "a.wav")
    tone = tones_of(region)[place_of(region)]
    assert isinstance(tone, NoRoomTone)
    assert tone.reason


@pytest.mark.parametrize(
    "sound",
    [
        np.clip(50 * speech(4), -1, 1).astype(np.float32),
        speech(4, channels=6),
        np.pad(speech(4), ((0, 0), (0, 1))),
        speech(0.3),
    ],
    ids=["clipped", "5.1", "one dead channel", "short"],
)
def test_bad_input_gets_a_tone_or_a_reason(tmp_path: Path, sound: Samples) -> None:
    region = region_of(sound, RATE_HZ, tmp_path / "a.wav")
    tone = tones_of(region)[place_of(region)]
    if isinstance(tone, NoRoomTone):
        assert tone.reason
    else:
        assert tone.channels == sound.shape[1]
        assert np.isfinite(tone.grains).all()


def test_a_place_that_can_no_longer_be_read_says_why(tmp_path: Path) -> None:
    region = region_of(speech(4), RATE_HZ, tmp_path / "a.wav")
    heard = survey(region)
    region.media.path.unlink()
    tone = place_tones([heard], lambda _: None)[place_of(region)]
    assert isinstance(tone, NoRoomTone)
    assert "cannot be read" in tone.reason


def test_it_can_be_stopped(tmp_path: Path) -> None:
    heard = survey(region_of(speech(2), RATE_HZ, tmp_path / "a.wav"))

    def stop(what: str) -> None:
        raise InterruptedError(what)

    with pytest.raises(InterruptedError, match="room tone"):
        place_tones([heard], stop)


def test_other_rates(tmp_path: Path) -> None:
    region = region_of(speech(6, noise=0.003), RATE_HZ, tmp_path / "a.wav")
    at_44 = replace(region, rate_hz=44_100, end_sample=int(Fraction(6) * 44_100))
    tone = tones_of(at_44)[place_of(region)]
    assert isinstance(tone, RoomTone)
    assert tone.rate_hz == 44_100
