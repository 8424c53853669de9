"""Reverberation and noise floor, against rooms and floors that are known."""

from __future__ import annotations

import numpy as np
import pytest
from testkit.meters import (
    RATE_HZ,
    VOICES,
    found,
    recordings,
    sound_of,
    spaced,
    spoken,
    voice_of,
    whole,
)
from testkit.sound import as_samples, noise, voice

from nlecompanion.diagnosis.findings import Findings
from nlecompanion.model import Samples

#: This chamber's response has no direct sound, so nothing that can be told from a voice.
NO_DIRECT_SOUND = "wbs_echo-chamber"


def clarity_db(response: np.ndarray) -> float:
    """C50 of a measured response from its onset (20 dB under its peak) on; ISO 3382-1, eq. 10."""
    energy = np.square(response, dtype=np.float64)
    onset = int(np.flatnonzero(energy > energy.max() / 100)[0])
    early = onset + RATE_HZ // 20
    return float(10 * np.log10(energy[onset:early].sum() / energy[early:].sum()))


def in_room(dry: Samples, response: np.ndarray) -> Samples:
    from scipy.signal import fftconvolve

    wet = fftconvolve(dry[:, 0], response)[: len(dry)]
    return as_samples(wet * 0.05 / np.sqrt(np.mean(wet**2)))


def room_of(sound: Samples) -> tuple[float, float]:
    room = found(sound).reverberation
    assert room is not None
    return room.c50_db, room.sureness


def test_c50_of_measured_rooms_with_real_voices() -> None:
    errors_db: dict[str, list[float]] = {}
    rooms = {
        path.stem: sound_of(path)[:, 0]
        for path in recordings("rir")
        if not path.stem.startswith(NO_DIRECT_SOUND)
    }
    for index, name in enumerate(VOICES):
        dry = voice_of(name)
        for room, response in list(rooms.items())[index % 2 :: 2]:
            read = found(in_room(dry, response)).reverberation
            if read is not None:  # in a cave the detector may hear no speech at all
                errors_db.setdefault(room, []).append(read.c50_db - clarity_db(response))
    every = np.concatenate([np.array(errors) for errors in errors_db.values()])
    assert len(every) > 50
    assert float(np.abs(every).mean()) < 2.5
    assert abs(float(every.mean())) < 2.0


def test_dry_voices_read_dry() -> None:
    read_db = [room_of(voice_of(name))[0] for name in VOICES]
    assert min(read_db) > 17


def test_order_of_rooms_is_kept() -> None:
    from scipy.stats import spearmanr

    rooms = [sound_of(path)[:, 0] for path in recordings("rir") if NO_DIRECT_SOUND not in path.stem]
    truth = [clarity_db(response) for response in rooms]
    dry = voice_of("vctk_p286")
    read = [room_of(in_room(dry, response))[0] for response in rooms]
    assert spearmanr(truth, read).statistic > 0.85


def test_noise_makes_it_less_sure_and_little_speech_too() -> None:
    dry = voice_of("vctk_p234")
    loud = float(np.sqrt(np.mean(dry**2)))
    noisy = dry + loud * noise(len(dry) / RATE_HZ, level_db=-3)[: len(dry), None].astype(np.float32)
    assert room_of(noisy)[1] < 0.8 * room_of(dry)[1]
    measured = found(dry[: RATE_HZ // 2], speech=whole(dry[: RATE_HZ // 2]))
    assert measured.reverberation is None


@pytest.mark.parametrize("level_db", [-70.0, -50.0])
def test_the_floor_is_the_noise_in_the_gaps(level_db: float) -> None:
    speech, spans = spaced()
    sound = speech + as_samples(noise(20, level_db=level_db))
    # The 8 octaves reach from 88 Hz to 22.6 kHz: 94 % of white noise's energy.
    floor = found(sound, speech=spans).noise_floor
    assert floor is not None
    assert floor.from_gaps
    assert floor.gaps_s == pytest.approx(4 * 1.65, abs=0.3)
    assert floor.level_dbfs == pytest.approx(level_db - 0.3, abs=0.7)
    assert floor.spread_db is not None
    assert floor.spread_db < 1.5
    assert floor.under_speech_db is not None
    assert floor.under_speech_db == pytest.approx(-23 - level_db, abs=3)


def test_a_floor_that_comes_and_goes_is_not_steady() -> None:
    swell = 10 ** (np.repeat([0.0, -15.0], RATE_HZ // 2) / 20)
    rising = noise(10, level_db=-45) * np.resize(swell, 10 * RATE_HZ)
    speech, spans = spaced(2)
    floor = found(speech + as_samples(rising), speech=spans).noise_floor
    assert floor is not None
    assert floor.spread_db is not None
    assert floor.spread_db > 10


def test_without_gaps_the_quietest_hops_stand_in() -> None:
    sound = as_samples(voice(4) + noise(4, level_db=-50))
    floor = found(sound, speech=whole(sound)).noise_floor
    assert floor is not None
    assert not floor.from_gaps
    assert floor.spread_db is None
    assert floor.level_dbfs == pytest.approx(-50, abs=3)


def test_real_rooms_on_film_are_measured() -> None:
    from testkit.sound import read_sound

    for path in recordings("film", "mmi_noisy*"):
        sound, rate_hz = read_sound(path)
        measured: Findings = found(sound, rate_hz, spoken(sound, rate_hz))
        assert measured.noise_floor is not None
        assert measured.noise_floor.under_speech_db is not None
        assert 5 < measured.noise_floor.under_speech_db < 40
