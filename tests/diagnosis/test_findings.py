"""The findings as a whole: any block lengths, any bad input, and what the receipt says."""

from __future__ import annotations

import json
from dataclasses import asdict
from fractions import Fraction

import numpy as np
import pytest
from testkit.meters import RATE_HZ, found, whole
from testkit.sound import as_samples, noise, tone, voice
from testkit.speech import speech as sentences

from nlecompanion.diagnosis.findings import (
    Findings,
    MixtureMeters,
    SplitMeters,
    gather,
    receipt_values,
)
from nlecompanion.model import Samples, Span


def measured(sound: Samples, background: Samples, block: int, rate_hz: int = RATE_HZ) -> Findings:
    mixture = MixtureMeters(rate_hz, sound.shape[1])
    split = SplitMeters(rate_hz, sound.shape[1])
    for start in range(0, len(sound), block):
        part = slice(start, start + block)
        mixture.push(sound[part])
        split.push(sound[part] - background[part], background[part])
    half = Fraction(len(sound), 2 * rate_hz)
    return gather(mixture, split, (Span(Fraction(1, 5), half),))


def test_block_lengths_do_not_matter_to_a_bit_that_the_receipt_shows() -> None:
    background = as_samples(noise(6, level_db=-45, seed=1), noise(6, level_db=-45, seed=2))
    sound = sentences(6, channels=2, noise=0.0) + background
    one, other = (measured(sound, background, block) for block in (96_000, 7_777))
    assert receipt_values(one) == receipt_values(other)
    again = measured(sound, background, 96_000)
    assert asdict(one) == asdict(again)


def test_speech_over_hiss_is_measured_in_full() -> None:
    background = as_samples(noise(10, level_db=-45))
    findings = found(as_samples(voice(10)) + background, background=background)
    values = receipt_values(findings)
    missing = {key for key, value in values.items() if value is None}
    assert missing <= {"hum", "reverberation"}
    assert findings.background is not None
    assert findings.background.kind.value == "steady noise"
    assert findings.clipping is not None
    assert not findings.clipping.clipped


def test_the_receipt_is_plain_rounded_json() -> None:
    findings = found(as_samples(voice(8)) + as_samples(noise(8, level_db=-45)))
    values = receipt_values(findings)
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert set(values) == set(Findings.__dataclass_fields__)
    assert values["noise_floor"]["level_dbfs"] == round(values["noise_floor"]["level_dbfs"], 1)
    assert values["voice_bandwidth"] is None


BAD: dict[str, Samples] = {
    "a tenth of a second": as_samples(noise(0.1)),
    "one sample": np.zeros((1, 1), np.float32),
    "silence": np.zeros((RATE_HZ * 3, 2), np.float32),
    "a clipped square wave": as_samples(np.sign(tone(150, 3))),
    "one dead channel": as_samples(voice(4), np.zeros(4 * RATE_HZ)),
    "5.1": np.tile(as_samples(voice(4)), (1, 6)),
    "full scale noise": as_samples(np.clip(noise(3, level_db=0), -1, 1)),
    "a constant": np.full((RATE_HZ * 2, 1), 0.5, np.float32),
    "over full scale": as_samples(4 * voice(3, level_db=-10)),
    "one click in silence": as_samples(np.eye(1, RATE_HZ * 3, RATE_HZ)[0]),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("all_speech", [True, False])
def test_bad_input_gives_findings(name: str, all_speech: bool) -> None:
    sound = BAD[name]
    speech = whole(sound) if all_speech else ()
    for background in (None, 0.5 * sound, np.zeros_like(sound), sound):
        findings = found(sound, speech=speech, background=background)
        json.dumps(receipt_values(findings), allow_nan=False)


def test_no_sound_at_all_gives_findings() -> None:
    findings = gather(MixtureMeters(RATE_HZ, 2), SplitMeters(RATE_HZ, 2), ())
    assert findings.plosives == ()
    assert all(
        value is None for key, value in receipt_values(findings).items() if key != "plosives"
    )


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 32_000, 44_100, 96_000, 192_000])
def test_any_rate(rate_hz: int) -> None:
    sound = as_samples(voice(4, rate_hz) + noise(4, rate_hz, level_db=-50))
    findings = found(sound, rate_hz, whole(sound, rate_hz), background=0.1 * sound)
    assert findings.pitch is not None
    assert 80 < findings.pitch.lowest_hz < findings.pitch.median_hz < 200
    assert findings.noise_floor is not None
