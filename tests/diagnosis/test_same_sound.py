"""The same sound is found to the sample, whatever was done to it; another take is not."""

from __future__ import annotations

import numpy as np
import pytest
from testkit.damage import coded
from testkit.rooms import LEAD_SAMPLES, in_room, room
from testkit.speech import speech
from testkit.takes import RATE_HZ, noise, noisy, take

from nlecompanion.diagnosis.same_sound import (
    SEARCH_RATE_HZ,
    Match,
    SoundFinder,
    align,
    holds,
    is_confirmed,
    is_found,
)
from nlecompanion.model import Samples

LATE_S = 1.37
LATE = round(LATE_S * RATE_HZ)


def low(sound: Samples) -> Samples:
    from scipy.signal import resample_poly

    return np.asarray(resample_poly(sound, 1, RATE_HZ // SEARCH_RATE_HZ), np.float32)


def find(sound: Samples, long: Samples, block: int = 20_000) -> Match | None:
    finder = SoundFinder([low(sound)])
    whole = low(long)
    for start in range(0, len(whole), block):
        finder.push(whole[start : start + block])
    return finder.finish()[0]


def found_and_aligned(sound: Samples, long: Samples) -> Match | None:
    """As a job does it: a coarse place in the whole, then the sample around it."""
    length_s = len(sound) / RATE_HZ
    coarse = find(sound, long)
    if coarse is None or not is_found(coarse, length_s):
        return None
    margin = RATE_HZ // 20
    start = max(0, coarse.position_samples * RATE_HZ // SEARCH_RATE_HZ - margin)
    fine = align(sound, long[start : start + len(sound) + 2 * margin], RATE_HZ)
    if fine is None or not is_confirmed(fine, length_s):
        return None
    return Match(start + fine.position_samples, fine.correlation, fine.sureness)


@pytest.mark.parametrize("sbr_db", [10, 0, -10])
@pytest.mark.parametrize("seconds", [2, 8])
def test_a_sentence_is_found_to_the_sample_under_noise(sbr_db: float, seconds: int) -> None:
    voice = take(0, 30)
    sound = noisy(voice, sbr_db)[LATE : LATE + seconds * RATE_HZ]
    match = found_and_aligned(sound, voice)
    assert match is not None
    assert match.position_samples == LATE


@pytest.mark.parametrize(("codec", "kbps"), [("mp3", 32), ("aac", 32), ("aac", 64)])
def test_a_lossy_copy_is_found_to_the_sample(codec: str, kbps: int) -> None:
    voice = take(0, 20)
    copy = coded(voice[:, None], RATE_HZ, codec, kbps)[:, 0]
    match = found_and_aligned(copy[LATE : LATE + 6 * RATE_HZ], voice)
    assert match is not None
    assert match.position_samples == LATE


def test_turned_over_polarity_is_told() -> None:
    voice = take(0, 12)
    match = found_and_aligned(-voice[LATE : LATE + 4 * RATE_HZ], voice)
    assert match is not None
    assert match.position_samples == LATE
    assert match.correlation < -0.9


@pytest.mark.parametrize("seconds", [1, 2, 4, 8])
@pytest.mark.parametrize("first", [0, 8])
def test_another_take_of_the_same_speaker_is_not_found(seconds: int, first: int) -> None:
    sound = take(first, 10)[LATE : LATE + seconds * RATE_HZ]
    others = take(16, 40)
    for heard in (sound, noisy(sound, 0)):
        assert found_and_aligned(heard, others) is None


def test_any_blocks_give_the_same_place() -> None:
    voice = take(0, 60)
    sound = voice[25 * RATE_HZ : 29 * RATE_HZ]
    matches = [find(sound, voice, block) for block in (1_000, 77_777, 10_000_000)]
    assert matches[0] is not None
    assert matches[0].position_samples == 25 * SEARCH_RATE_HZ
    assert matches[1:] == matches[:1] * 2


def test_several_sounds_are_found_in_one_pass_at_the_ends_too() -> None:
    voice = low(take(0, 70))
    sounds = [voice[:24_000], voice[300_000:364_000], voice[-24_000:]]
    finder = SoundFinder(sounds)
    finder.push(voice)
    places = [match.position_samples for match in finder.finish() if match is not None]
    assert places == [0, 300_000, len(voice) - 24_000]


@pytest.mark.parametrize(
    ("sound", "there"),
    [
        (np.zeros(SEARCH_RATE_HZ, np.float32), low(speech(3)[:, 0])),
        (low(speech(3)[:, 0]), np.zeros(5 * SEARCH_RATE_HZ, np.float32)),
        (low(speech(0.3)[:, 0]), low(speech(3)[:, 0])),
        (low(speech(3)[:, 0]), np.zeros(0, np.float32)),
    ],
    ids=["silent", "silence there", "too short", "nothing there"],
)
def test_what_cannot_be_found_is_not(sound: Samples, there: Samples) -> None:
    finder = SoundFinder([sound])
    finder.push(there)
    match = finder.finish()[0]
    assert not is_found(match, max(len(sound), 1) / SEARCH_RATE_HZ)


@pytest.mark.parametrize("clear", [True, False])
def test_a_voice_is_told_from_the_background_that_two_sounds_share(clear: bool) -> None:
    voice, other, background = take(0, 8), take(10, 8), noise(8) * np.float32(0.05)
    # Estimates are never clean: a tenth of the background's power stays in the voice.
    there, floor = other + np.float32(0.3) * background, np.float32(0.7) * background
    for mixture, held in ((voice + background, False), (other + background, True)):
        assert holds(there, floor, mixture, RATE_HZ, clear=clear) is held


def test_a_faint_trace_of_a_clear_voice_is_enough() -> None:
    voice, loud = take(0, 8), noise(8, 3)
    mixture = noisy(voice, -16, 2)
    floor = np.float32(1e-3) * loud
    assert holds(voice, floor, mixture, RATE_HZ, clear=True)
    assert not holds(take(10, 8), floor, mixture, RATE_HZ, clear=True)


@pytest.mark.parametrize("name", ["openair_s1", "seminar_room_clap"])
def test_in_a_room_the_place_is_within_early_reflections(name: str) -> None:
    voice = take(0, 12)
    wet = in_room(voice.astype(np.float64), room(name)).sound[LEAD_SAMPLES:, 0]
    match = found_and_aligned(wet[LATE : LATE + 8 * RATE_HZ], voice)
    assert match is not None
    assert abs(match.position_samples - LATE) < RATE_HZ // 100
