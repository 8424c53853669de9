"""Sound that nobody would record on purpose: a decision with reasons, never an exception."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from testkit.damage import clipped
from testkit.regions import region_of
from testkit.sound import as_samples, noise, tone
from testkit.speech import speech

from nlecompanion.engines.contract import Engine, EngineFactory
from nlecompanion.engines.dsp import FACTORY as DSP
from nlecompanion.engines.passthrough import FACTORY as PASSTHROUGH
from nlecompanion.model import Ruling, Samples
from nlecompanion.settings import Profile
from nlecompanion.wire import from_json, to_json
from nlecompanion.work import RegionOutcome, Target, Tools, work_region
from nlecompanion.work.hardest import find_hardest
from nlecompanion.work.task import TaskOutcome, outcome_of

RATE_HZ = 48_000


def _without_gaps() -> Samples:
    """Speech whose pauses are cut out."""
    spoken = speech(12, noise=0.003)
    powers = np.square(spoken[: len(spoken) // 480 * 480]).reshape(-1, 480).mean(axis=1)
    return spoken[np.repeat(powers > np.quantile(powers, 0.5), 480).nonzero()[0]]


def _one_dead_channel() -> Samples:
    spoken = speech(4, channels=2, noise=0.01)
    spoken[:, 1] = 0
    return spoken


SOUNDS: dict[str, Callable[[], Samples]] = {
    "a tenth of a second": lambda: speech(4)[RATE_HZ : RATE_HZ + 4800],
    "one sample": lambda: np.full((1, 1), 0.5, np.float32),
    "no gaps": _without_gaps,
    "no speech": lambda: as_samples(noise(4, level_db=-30)),
    "silence": lambda: np.zeros((4 * RATE_HZ, 2), np.float32),
    "one dead channel": _one_dead_channel,
    "a square wave": lambda: np.sign(as_samples(tone(220, 4))).astype(np.float32),
    "speech as a square wave": lambda: clipped(speech(6, noise=0.003), 60.0),
    "six channels": lambda: np.repeat(speech(3, noise=0.01), 6, axis=1),
    "opposite channels": lambda: speech(4, channels=2, noise=0.01) * np.array([1, -1], np.float32),
    "far too quiet": lambda: speech(4) * np.float32(1e-7),
    "silence, then a click": lambda: np.eye(1, 2 * RATE_HZ, 60_000, dtype=np.float32).T,
}
ENGINES: dict[str, EngineFactory] = {"dsp": DSP, "passthrough": PASSTHROUGH}


def worked(sound: Samples, folder: Path, engine: Engine) -> RegionOutcome:
    region = region_of(sound, RATE_HZ, folder / "bad.wav")
    scratch = folder / "scratch"
    scratch.mkdir()
    cleaned = folder / "cleaned.wav"
    target = Target(cleaned, cleaned, scratch)
    return work_region(region, Tools(engine, engine), Profile(), target, lambda _: None)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", SOUNDS)
def test_every_sound_ends_in_a_decision_with_reasons(
    name: str, engine: str, tmp_path: Path
) -> None:
    sound = SOUNDS[name]()
    outcome = worked(sound, tmp_path, ENGINES[engine].create())
    told = to_json(outcome_of(outcome, None), TaskOutcome)
    from_json(json.loads(json.dumps(told, allow_nan=False)), TaskOutcome)
    (report,) = outcome.reports
    if report.left_alone is not None:
        assert report.left_alone.detail
        assert outcome.cleaned is None
        return
    assert report.verdict is not None
    assert all(report.verdict.reasons)
    assert report.plan is not None
    assert all(report.plan.reasons)
    assert outcome.cleaned is not None
    assert outcome.cleaned.length_samples == len(sound)
    assert outcome.cleaned.channels == sound.shape[1]


@pytest.mark.parametrize("name", ["no speech", "silence", "far too quiet", "one sample"])
def test_where_nobody_speaks_nothing_is_made(name: str, tmp_path: Path) -> None:
    outcome = worked(SOUNDS[name](), tmp_path, DSP.create())
    assert outcome.cleaned is None
    assert not (tmp_path / "cleaned.wav").exists()
    (report,) = outcome.reports
    assert "0.00 s of speech" in str(report.left_alone)


def test_speech_as_a_square_wave_is_never_delivered_without_a_word(tmp_path: Path) -> None:
    """Its background cannot be told from the damage: a warning, or beyond saving."""
    (report,) = worked(SOUNDS["speech as a square wave"](), tmp_path, DSP.create()).reports
    assert report.verdict is None or report.verdict.ruling is not Ruling.KEEP


@pytest.mark.parametrize("name", SOUNDS)
def test_the_hardest_moment_of_it_can_be_asked_for(name: str, tmp_path: Path) -> None:
    region = region_of(SOUNDS[name](), RATE_HZ, tmp_path / "bad.wav")
    for found in find_hardest([region], DSP.create(), lambda _: None):
        assert 0 <= found.moment.hardness <= 1
        assert found.as_region().length_samples <= region.length_samples
