"""Room tone: found in the original, grown without a loop, matched, laid under the whole clip."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray
from testkit.shared import shared
from testkit.sound import as_samples, level_db, read_sound, tone
from testkit.speech import speech
from testkit.stems import blocks

from nlecompanion.model import Samples, Span
from nlecompanion.treatment.mix import mix
from nlecompanion.treatment.room_tone import (
    RoomToneLimits,
    Surroundings,
    apply_room_tone,
    plan_room_tone,
    receipt_values,
)
from nlecompanion.treatment.tone_finding import (
    FindingLimits,
    NoRoomTone,
    RoomTone,
    find_room_tone,
)
from nlecompanion.treatment.tone_grid import ToneGrid
from nlecompanion.treatment.tone_growing import ToneReader, tone_clip
from nlecompanion.treatment.tone_measures import (
    Floor,
    FloorMeter,
    StemFloorMeter,
    colour_difference_db,
    edge_step_db,
    loop_correlation,
)
from nlecompanion.treatment.tone_travel import tone_from_bytes, tone_to_bytes

RATE_HZ = 48_000
LIMITS = RoomToneLimits()
#: Places that hold still enough to be one: ambiences, a cabin, wind in trees.
PLACES = (
    "clear_ch08_1.flac",
    "clear_ch08_2.flac",
    "clear_ch08_4.flac",
    "clear_ch08_5.flac",
    "moodist_airplane.mp3",
    "moodist_wind-in-trees.mp3",
)
#: Two voices with a pause of 1.5 s at the start, in the middle and at the end of 10 s.
SPOKEN = (Span(Fraction(3, 2), Fraction(2)), Span(Fraction(5), Fraction(7, 2)))


def find(
    sound: Samples,
    speech_spans: tuple[Span, ...] = (),
    limits: FindingLimits | None = None,
    *,
    music: bool = False,
) -> RoomTone | NoRoomTone:
    return find_room_tone(
        lambda start, count: sound[start : start + count],
        len(sound),
        RATE_HZ,
        speech_spans,
        limits,
        music=music,
    )


def found(sound: Samples, speech_spans: tuple[Span, ...] = ()) -> RoomTone:
    tone_of = find(sound, speech_spans)
    assert isinstance(tone_of, RoomTone)
    return tone_of


def floor(sound: Samples, speech_spans: tuple[Span, ...] = (), block: int = 100_000) -> Floor:
    meter = FloorMeter(RATE_HZ, sound.shape[1])
    for start in range(0, len(sound), block):
        meter.push(sound[start : start + block])
    measured = meter.finish(speech_spans)
    assert measured is not None
    return measured


def pink(seconds: float, channels: int = 1, level: float = -55, seed: int = 1) -> Samples:
    """Noise whose power falls by 3 dB an octave from 40 Hz on."""
    count = int(seconds * RATE_HZ)
    white = np.random.default_rng(seed).standard_normal((channels, count))
    spectrum = np.fft.rfft(white)
    at_hz = np.maximum(np.fft.rfftfreq(count, 1 / RATE_HZ), 40)
    shaped = np.fft.irfft(spectrum / np.sqrt(at_hz), count)
    shaped *= 10 ** (level / 20) / np.sqrt(np.mean(shaped**2))
    return np.ascontiguousarray(shaped.T.astype(np.float32))


def place(name: str, level: float = -55) -> Samples:
    """20 s of a real place at 48 kHz."""
    from scipy.signal import resample_poly

    sound, rate_hz = read_sound(shared(f"audio/noise/{name}"))
    sound = sound[: 20 * rate_hz]
    if rate_hz != RATE_HZ:
        sound = resample_poly(sound, RATE_HZ, rate_hz, axis=0)
    return np.asarray(sound * 10 ** ((level - level_db(sound)) / 20), np.float32)


def spoken(length: int, channels: int) -> Samples:
    """A voice in `SPOKEN`, silence elsewhere."""
    said = speech(10, channels, noise=0)
    heard = np.zeros((length, channels), np.float32)
    for span in SPOKEN:
        at = slice(int(span.start_s * RATE_HZ), int(span.end_s * RATE_HZ))
        heard[at] = said[: at.stop - at.start]
    return heard * np.float32(10 ** ((-25 - level_db(said)) / 20))


def coherence(sound: Samples) -> float:
    """Normalised correlation of the first two channels."""
    return float(np.corrcoef(sound[:, 0], sound[:, 1])[0, 1])


def test_a_planted_tone_is_found_and_grown() -> None:
    planted = pink(10, 2)
    mixture = planted + spoken(len(planted), 2)
    tone_of = found(mixture, SPOKEN)
    assert not tone_of.estimated
    truth = floor(planted)
    assert colour_difference_db(tone_of.band_db, truth.band_db) <= 1
    grown = ToneReader(tone_of).read(0, 10 * RATE_HZ)
    after = floor(grown)
    assert colour_difference_db(after.band_db, truth.band_db) <= 1.5
    assert abs(after.level_db - truth.level_db) <= 0.5


@pytest.mark.parametrize("name", PLACES)
def test_real_places_grow_without_a_loop(name: str) -> None:
    original = place(name)
    short = original[: int(0.8 * RATE_HZ)]
    tone_of = found(short)
    grown = ToneReader(tone_of).read(0, 8 * RATE_HZ)
    # 0.1 s: beyond it none of these places resembles itself.
    assert loop_correlation(grown, RATE_HZ // 10) < 0.3
    assert colour_difference_db(floor(grown).band_db, tone_of.band_db) <= 2
    assert floor(grown).deviation_db <= 2
    looped = np.resize(short, grown.shape)
    assert loop_correlation(looped, RATE_HZ // 10) > 0.6


@pytest.mark.parametrize("name", PLACES)
def test_two_cuts_of_one_place_match(name: str) -> None:
    """The chain's own order, with a perfect split: mix at 9 dB, then what is missing."""
    original = place(name)
    left, after, plans = [], [], []
    halves = [original[: 10 * RATE_HZ], original[10 * RATE_HZ : 20 * RATE_HZ]]
    takes = [half + spoken(len(half), half.shape[1]) for half in halves]
    shared_tone = found(takes[0], SPOKEN)
    for i, (half, take) in enumerate(zip(halves, takes, strict=True)):
        mixed = mix(take, take - half, 9)
        left.append(floor(mixed, SPOKEN))
        plan = plan_room_tone(shared_tone, LIMITS, Surroundings(left[-1]))
        laid = apply_room_tone(mixed, i * len(half), plan.reader())
        assert laid.shape == take.shape
        after.append(floor(laid, SPOKEN))
        plans.append(plan)
    for one, before, plan, half in zip(after, left, plans, halves, strict=True):
        # A tone can only add: bands that are louder in one half than in the other stay so.
        reachable_db = np.maximum(plan.target_db, before.band_db)
        assert colour_difference_db(one.band_db, reachable_db.tolist()) <= 2
        assert abs(one.level_db - sum_db(plan.target_db)) <= 1
        # A gust that comes and goes is the place's own; the floor opens no further than there.
        assert one.deviation_db <= max(2, floor(half, SPOKEN).deviation_db)
        assert one.lowest_db > -80
    assert plans[0].target_db == plans[1].target_db
    step_db = edge_step_db(*after)
    assert step_db is not None
    assert step_db <= 1.5


def sum_db(bands_db: tuple[float, ...]) -> float:
    return float(10 * np.log10(np.sum(10 ** (np.array(bands_db) / 10))))


def test_any_stretch_reads_the_same_again() -> None:
    tone_of = found(pink(3, 2))
    whole = ToneReader(tone_of).read(0, 100_000)
    reader = ToneReader(tone_of)
    for start, count in ((50_000, 3_000), (0, 1), (99_999, 1), (2_047, 2_050), (7, 0)):
        assert np.array_equal(reader.read(start, count), whole[start : start + count])
    other = ToneReader(tone_of, seed="clip").read(0, 100_000)
    assert abs(np.corrcoef(whole[:, 0], other[:, 0])[0, 1]) < 0.1
    with pytest.raises(ValueError, match="0 or more"):
        reader.read(-1, 10)


def test_channels_relate_as_in_the_place() -> None:
    left, right = pink(4, 1, seed=1), pink(4, 1, seed=2)
    for share in (0.0, 0.6, 1.0):
        original = np.concatenate([left, share * left + (1 - share) * right], axis=1)
        grown = ToneReader(found(original)).read(0, 8 * RATE_HZ)
        assert coherence(grown) == pytest.approx(coherence(original), abs=0.08)


def test_mono_in_stereo_stays_mono_and_a_dead_channel_dead() -> None:
    mono = pink(3)
    grown = ToneReader(found(np.repeat(mono, 2, axis=1))).read(0, RATE_HZ)
    assert np.array_equal(grown[:, 0], grown[:, 1])
    dead = ToneReader(found(np.pad(mono, ((0, 0), (0, 5))))).read(0, RATE_HZ)
    assert dead.shape[1] == 6
    assert level_db(dead[:, 0]) == pytest.approx(level_db(mono), abs=1)
    assert not dead[:, 1:].any()


def test_hum_is_not_grown() -> None:
    hum = tone(200, 5, level_db=-35)[:, None]
    tone_of = found((pink(5) + hum).astype(np.float32))
    grown = ToneReader(tone_of).read(0, 5 * RATE_HZ)
    assert level_db(grown) < -45


def test_the_tone_alone_for_a_track_of_its_own() -> None:
    tone_of = found(pink(4, 2))
    plan = plan_room_tone(tone_of, LIMITS)
    clip = plan.clip(7 * RATE_HZ + 11)
    assert clip is not None
    sound = np.concatenate(list(clip))
    assert sound.shape == (7 * RATE_HZ + 11, 2)
    assert colour_difference_db(floor(sound).band_db, plan.target_db) <= 1.5
    bare = np.concatenate(list(tone_clip(tone_of, 100)))
    assert np.array_equal(bare, ToneReader(tone_of, seed="clip").read(0, 100))


def test_only_what_is_missing_is_filled() -> None:
    original = pink(6)
    tone_of = found(original)
    left_db = [floor(np.float32(10 ** (-i / 20)) * original) for i in (3, 9, 40)]
    plans = [plan_room_tone(tone_of, LIMITS, Surroundings(left)) for left in left_db]
    assert plans[0].off
    assert "already" in plans[0].reason
    weak, strong = (plan.gains for plan in plans[1:])
    assert weak is not None
    assert strong is not None
    at = ToneGrid.at(RATE_HZ).band_edges()[10][0]
    # 10 log10(10^-0.6 - 10^-0.9) = -9.0 dB, 10 log10(10^-0.6 - 10^-4) = -6.0 dB
    assert 20 * np.log10(weak[at]) == pytest.approx(-9.0, abs=0.7)
    assert 20 * np.log10(strong[at]) == pytest.approx(-6.0, abs=0.3)


@pytest.mark.parametrize(
    ("place_db", "below_db"),
    # 6 dB under the place is 21, 15, then 13, 9 and 1 dB under the speech: too near.
    [(-40, 21), (-34, 15), (-32, 17), (-28, 21), (-20, 25)],
)
def test_a_loud_place_is_not_brought_back(place_db: float, below_db: float) -> None:
    tone_of = found(pink(6, level=-45))
    around = Surroundings(speech_db=-25.0, raised_db=place_db - tone_of.level_db)
    plan = plan_room_tone(tone_of, LIMITS, around)
    assert sum_db(plan.target_db) == pytest.approx(-25 - below_db, abs=0.01)


def test_what_is_left_of_a_loud_place_gets_no_tone() -> None:
    tone_of = found(pink(6, level=-35))
    assert plan_room_tone(tone_of, LIMITS, Surroundings(floor(pink(6, level=-42)), -30.0)).off


def test_a_far_word_in_a_gap_does_not_come_back_in_the_tone() -> None:
    steady = pink(8, level=-50)
    marred = steady.copy()
    place = np.arange(RATE_HZ // 8) / RATE_HZ
    hiss = np.sin(2 * np.pi * 6300 * place + 40 * np.sin(2 * np.pi * 90 * place))
    marred[3 * RATE_HZ : 3 * RATE_HZ + len(place)] += (0.004 * hiss)[:, None].astype(np.float32)
    spread_db = []
    for sound in (steady, marred):
        grown = ToneReader(found(sound)).read(0, 20 * RATE_HZ)
        powers = ToneGrid.at(RATE_HZ).band_powers(ToneGrid.at(RATE_HZ).spectra(grown))[:, 18]
        spread_db.append(10 * np.log10(powers.max() / np.median(powers)))
    assert spread_db[1] < spread_db[0] + 1


def test_a_tone_estimated_under_music_lies_further_under_the_speech() -> None:
    tone_of = replace(found(pink(6, level=-35)), estimated=True)
    around = Surroundings(floor(pink(6, level=-70)), -25.0, music=True)
    plan = plan_room_tone(tone_of, LIMITS, around)
    assert sum_db(plan.target_db) == pytest.approx(-25 - LIMITS.under_music_db, abs=0.01)


def test_the_target_goes_up_with_compression_and_level() -> None:
    tone_of = found(pink(6, level=-50))
    plans = [
        plan_room_tone(tone_of, LIMITS, Surroundings(raised_db=raised_db)) for raised_db in (0, 2.5)
    ]
    levels_db = [sum_db(plan.target_db) for plan in plans]
    assert levels_db[1] - levels_db[0] == pytest.approx(2.5, abs=1e-6)


def test_a_shared_tone_does_not_make_a_quiet_cut_louder_than_it_was() -> None:
    tone_of = found(pink(6, level=-45))
    around = Surroundings(floor(pink(6, level=-64)), own_floor_db=-55)
    plan = plan_room_tone(tone_of, LIMITS, around)
    assert sum_db(plan.target_db) == pytest.approx(-55, abs=0.01)


def test_nothing_falls_below_the_least_level() -> None:
    quiet = pink(6, level=-84)
    plan = plan_room_tone(found(quiet), LIMITS, Surroundings(floor(np.float32(0.1) * quiet)))
    laid = apply_room_tone(np.zeros_like(quiet), 0, plan.reader())
    assert floor(laid).lowest_db > -80


def test_a_region_that_falls_silent_gets_the_least_tone() -> None:
    original = pink(8, level=-60)
    mixed = original.copy()
    mixed[3 * RATE_HZ : 4 * RATE_HZ] = 0
    assert floor(mixed).lowest_db < -80
    plan = plan_room_tone(found(original), LIMITS, Surroundings(floor(mixed)))
    laid = apply_room_tone(mixed, 0, plan.reader())
    assert floor(laid).lowest_db > -80
    assert floor(laid).level_db == pytest.approx(floor(mixed).level_db, abs=0.3)


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 96_000])
def test_other_rates(rate_hz: int) -> None:
    original = np.random.default_rng(1).normal(0, 0.002, (4 * rate_hz, 2)).astype(np.float32)
    tone_of = find_room_tone(
        lambda start, count: original[start : start + count], len(original), rate_hz, ()
    )
    assert isinstance(tone_of, RoomTone)
    grown = ToneReader(tone_of).read(0, 4 * rate_hz)
    assert level_db(grown) == pytest.approx(level_db(original), abs=0.5)


def test_equal_sound_makes_equal_tones_and_travels() -> None:
    tone_of = found(pink(3, 2))
    assert tone_of.digest == found(pink(3, 2)).digest
    assert tone_of.digest != found(pink(3, 2, seed=2)).digest
    content = tone_to_bytes(tone_of)
    assert content == tone_to_bytes(tone_of)
    arrived = tone_from_bytes(content)
    assert isinstance(arrived, RoomTone)
    assert arrived.digest == tone_of.digest
    assert (arrived.heard_s, arrived.unsteadiness_db) == (tone_of.heard_s, tone_of.unsteadiness_db)
    assert np.array_equal(ToneReader(arrived).read(9, 99), ToneReader(tone_of).read(9, 99))
    none = NoRoomTone("the gaps are digital silence")
    assert tone_from_bytes(tone_to_bytes(none)) == none


@pytest.mark.parametrize(
    "damaged", [b"", b"no tone", tone_to_bytes(NoRoomTone("x"))[:-1], b"\xff" * 99]
)
def test_damaged_bytes_are_no_tone(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="no room tone"):
        tone_from_bytes(damaged)


def test_under_speech_and_music_the_floor_is_estimated() -> None:
    planted = pink(12)
    said = np.resize(speech(6, noise=0), planted.shape)
    everywhere = (Span(Fraction(0), Fraction(12)),)
    tone_of = found(planted + said * np.float32(0.1), everywhere)
    assert tone_of.estimated
    assert colour_difference_db(tone_of.band_db, floor(planted).band_db) <= 3
    without = find(planted, everywhere, FindingLimits(may_estimate=False))
    assert isinstance(without, NoRoomTone)
    assert "0.4 s are needed" in without.reason


@pytest.mark.parametrize(
    "name", ["librosa_147793__setuniman__sweet-wal.ogg", "visqol_guitar48_stereo.flac"]
)
def test_music_is_not_taken_for_a_place(name: str) -> None:
    sound, _ = read_sound(shared(f"audio/music/{name}"))
    refused = find(sound, (), FindingLimits(may_estimate=False))
    assert isinstance(refused, NoRoomTone)
    estimate = find(sound)
    assert isinstance(estimate, RoomTone)
    assert estimate.estimated
    assert estimate.level_db < floor(sound).level_db


@pytest.mark.parametrize(
    ("sound", "why"),
    [
        (np.zeros((5 * RATE_HZ, 2), np.float32), "digital silence"),
        (speech(0.3), "1.5 s"),
        (np.zeros((0, 1), np.float32), "too short"),
        (speech(0.01, channels=6), "too short"),
    ],
)
def test_without_a_usable_tone_the_plan_is_off_and_says_so(sound: Samples, why: str) -> None:
    spans = (Span(Fraction(0), Fraction(1, 2)),) if len(sound) < RATE_HZ else ()
    nothing = find(sound, spans)
    assert isinstance(nothing, NoRoomTone)
    assert why in nothing.reason
    plan = plan_room_tone(nothing, LIMITS)
    assert plan.off
    assert why in plan.reason
    assert plan.reader() is None
    assert plan.clip(100) is None
    assert apply_room_tone(sound, 0, plan.reader()) is sound
    assert receipt_values(plan, None, None) == {"on": False, "reason": plan.reason}


@pytest.mark.parametrize("channels", [1, 6])
def test_clipped_sound_leads_to_a_decision(channels: int) -> None:
    clipped = np.clip(100 * speech(4, channels), -1, 1)
    tone_of = find(clipped, SPOKEN[:1])
    around = Surroundings(floor(clipped, SPOKEN[:1]), -3.0)
    plan = plan_room_tone(tone_of, LIMITS, around)
    laid = apply_room_tone(clipped, 0, plan.reader())
    assert laid.shape == clipped.shape
    assert np.isfinite(laid).all()


def test_switched_off() -> None:
    plan = plan_room_tone(found(pink(3)), RoomToneLimits(enabled=False))
    assert plan.off
    assert plan.tone is None
    assert plan.reason == "the profile needs no room tone"


def test_the_receipt_tells_before_and_after() -> None:
    original = pink(6)
    before = floor(np.float32(0.1) * original)
    plan = plan_room_tone(found(original), LIMITS, Surroundings(before))
    laid = apply_room_tone(np.float32(0.1) * original, 0, plan.reader())
    values = receipt_values(plan, before, floor(laid))
    after = values["after"]
    assert isinstance(after, dict)
    assert values["estimated"] is False
    assert after["third_octave_difference_db"] <= 2
    assert abs(after["level_difference_db"]) <= 1


def test_the_meter_does_not_care_for_blocks() -> None:
    sound = pink(5, 2)
    floors = [floor(sound, SPOKEN[:1], block) for block in (1_000, 77_777, 10**9)]
    assert floors[0] == floors[1] == floors[2]


@pytest.mark.parametrize("intensity_db", [0.0, 7.5, 30.0])
def test_the_floor_of_any_mix_follows_from_its_stems(intensity_db: float) -> None:
    background = pink(10, 2)
    voice = spoken(len(background), 2) + np.float32(0.1) * background
    meter = StemFloorMeter(RATE_HZ, 2)
    for block in blocks(voice, background, 77_777):
        meter.push(block)
    recorded = FloorMeter(RATE_HZ, 2)
    recorded.push(voice + background)
    quiet = recorded.quiet(SPOKEN)
    stems = meter.finish(SPOKEN, quiet)
    assert stems is not None
    mixed = mix(voice + background, voice, intensity_db)
    after = FloorMeter(RATE_HZ, 2)
    after.push(mixed)
    known, heard = stems.floor(intensity_db), after.finish(SPOKEN, quiet)
    assert heard is not None
    assert colour_difference_db(known.band_db, heard.band_db) <= 0.01
    for name in ("level_db", "start_db", "end_db", "deviation_db", "lowest_db"):
        assert getattr(known, name) == pytest.approx(getattr(heard, name), abs=0.01)
    said = np.concatenate(
        [mixed[int(s.start_s * RATE_HZ) : int(s.end_s * RATE_HZ)] for s in SPOKEN]
    )
    spectra = ToneGrid.at(RATE_HZ).band_powers(ToneGrid.at(RATE_HZ).spectra(said))
    speech_db = stems.speech_level_db(intensity_db)
    assert speech_db == pytest.approx(10 * np.log10(spectra.sum(axis=1).mean()), abs=0.3)


def test_memory_does_not_grow_with_length() -> None:
    piece = pink(4)

    def read(start: int, count: int) -> Samples:
        return np.take(piece, np.arange(start, start + count), axis=0, mode="wrap")

    def peak_bytes(seconds: int) -> int:
        tracemalloc.start()
        tone_of = find_room_tone(read, seconds * RATE_HZ, RATE_HZ, ())
        assert isinstance(tone_of, RoomTone)
        find_room_tone(read, seconds * RATE_HZ, RATE_HZ, (), music=True)
        for _ in tone_clip(tone_of, seconds * RATE_HZ):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(10)  # whatever is loaded once
    assert peak_bytes(90) < 1.2 * peak_bytes(45)


def test_steps_and_openings_are_seen() -> None:
    steady = pink(10)
    opened: NDArray[np.float32] = steady.copy()
    opened[3 * RATE_HZ : 6 * RATE_HZ] *= 10 ** (-9 / 20)
    assert floor(steady).deviation_db < 1
    assert floor(opened).deviation_db > 2
    louder = floor(steady * np.float32(10 ** (4 / 20)))
    assert edge_step_db(floor(steady), louder) == pytest.approx(4, abs=0.5)
    assert edge_step_db(floor(as_samples(np.zeros(RATE_HZ))), louder) is not None
    assert FloorMeter(RATE_HZ, 1).finish(()) is None
