"""What every engine promises, checked on every engine that can run here.

A new engine joins by being installed and ready; Demucs runs with a tiny model of random weights.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from testkit.engines import SingingModel, write_demucs_bag
from testkit.sound import Wave, as_samples, delay_samples, level_db, noise, voice

from nlecompanion.engines import demucs_weights
from nlecompanion.engines.contract import Engine
from nlecompanion.engines.demucs import Demucs
from nlecompanion.errors import EngineError
from nlecompanion.model import Samples, Take
from nlecompanion.plugins import engine_factories

INSTALLED = [
    name
    for name, factory in engine_factories().items()
    if name != "demucs" and factory.readiness().ready
]
#: The last two go through Demucs' path: random weights, and a model that sings what it hears.
NAMES = [*INSTALLED, "demucs-random", "demucs-singing"]
#: Of these the voice is known to be the take's, so delay and image can be measured.
HEARING = [name for name in NAMES if name != "demucs-random"]


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Engine]:
    made: dict[str, Engine] = {}

    def tiny(folder: Path) -> Engine:
        return Demucs(*demucs_weights.load(write_demucs_bag(folder)))

    def get(name: str) -> Engine:
        if name not in made:
            if name == "demucs-random":
                made[name] = tiny(tmp_path_factory.mktemp("weights"))
            elif name == "demucs-singing":
                made[name] = Demucs([(SingingModel(), 1.0)], "none")
            else:
                made[name] = engine_factories()[name].create()
        return made[name]

    return get


@pytest.fixture(params=NAMES)
def engine(request: pytest.FixtureRequest, engines: Callable[[str], Engine]) -> Engine:
    return engines(request.param)


@pytest.fixture(params=HEARING)
def hearing(request: pytest.FixtureRequest, engines: Callable[[str], Engine]) -> Engine:
    return engines(request.param)


def scene(length_s: float, rate_hz: int, channels: int, level_db: float = -45) -> Samples:
    """A voice in noise; each channel has its own noise and its own share of the voice."""
    speech = voice(length_s, rate_hz)
    return as_samples(
        *(
            speech / (1 + channel) + noise(length_s, rate_hz, level_db, seed=channel)
            for channel in range(channels)
        )
    )


def check_promises(engine: Engine, samples: Samples, rate_hz: int) -> Samples:
    """Splits and checks what holds for any sound; gives the voice."""
    before = samples.copy()
    split = engine.split(Take(samples, rate_hz))
    np.testing.assert_array_equal(samples, before, "the engine wrote into its input")
    for part in (split.voice, split.background):
        assert part.samples.shape == samples.shape
        assert part.samples.dtype == np.float32
        assert part.rate_hz == rate_hz
        assert np.isfinite(part.samples).all()
    off = np.abs(split.voice.samples + split.background.samples - samples)
    assert off.max(initial=0) <= 1e-6
    return split.voice.samples


@pytest.mark.parametrize(
    ("rate_hz", "channels"), [(44_100, 1), (44_100, 2), (48_000, 2), (48_000, 6)]
)
def test_voice_and_background_sum_to_the_take(engine: Engine, rate_hz: int, channels: int) -> None:
    check_promises(engine, scene(0.9, rate_hz, channels), rate_hz)


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 32_000, 96_000])
def test_any_rate(engine: Engine, rate_hz: int) -> None:
    check_promises(engine, scene(0.9, rate_hz, 1), rate_hz)


@pytest.mark.parametrize("length_samples", [1, 2, 1_000, 9_600])
def test_any_length(engine: Engine, length_samples: int) -> None:
    check_promises(engine, scene(0.5, 48_000, 2)[:length_samples], 48_000)


@pytest.mark.parametrize("length_samples", [1, 48_000])
def test_silence_gives_silence(engine: Engine, length_samples: int) -> None:
    silence = np.zeros((length_samples, 2), np.float32)
    assert not check_promises(engine, silence, 48_000).any()


@pytest.mark.parametrize(
    ("name", "sound"),
    [
        ("direct current", np.full(48_000, 0.5)),
        ("a square at full scale", np.sign(np.sin(np.arange(48_000) * 0.02) + 1e-9)),
        ("one impulse", np.eye(1, 48_000, 24_000)[0]),
        ("clipped far above full scale", np.clip(40 * voice(1), -8, 8) / 8),
        ("the quietest sound that 24 bits hold", noise(1, level_db=-140)),
    ],
)
def test_hostile_sound(engine: Engine, name: str, sound: Samples) -> None:
    found = check_promises(engine, as_samples(sound), 48_000)
    assert np.abs(found).max() < 4, f"{name} was blown up"


def test_silence_after_sound_stays_quiet(hearing: Engine) -> None:
    sound = scene(4, 48_000, 1)
    sound[96_000:] = 0
    assert level_db(check_promises(hearing, sound, 48_000)[120_000:]) < -80


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_what_is_no_sound_is_refused_with_its_place(engine: Engine, bad: float) -> None:
    sound = scene(1, 48_000, 2)
    sound[12_000, 1] = bad
    with pytest.raises(EngineError, match=r"sample 12000 \(0\.250 s\), channel 2"):
        engine.split(Take(sound, 48_000))


def test_twice_the_same_bit_for_bit(engine: Engine) -> None:
    sound = scene(1.5, 48_000, 2)
    first, second = (engine.split(Take(sound.copy(), 48_000)).voice.samples for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000])
def test_no_delay(hearing: Engine, rate_hz: int) -> None:
    sound = scene(3, rate_hz, 1)
    found = check_promises(hearing, sound, rate_hz)
    assert delay_samples(found, sound) == 0


def test_mono_as_stereo_stays_in_the_middle(hearing: Engine) -> None:
    found = check_promises(hearing, np.repeat(scene(2, 48_000, 1), 2, axis=1), 48_000)
    np.testing.assert_array_equal(found[:, 0], found[:, 1])


def test_a_panned_voice_stays_where_it_is(hearing: Engine) -> None:
    speech = scene(3, 48_000, 1)[:, 0]
    found = check_promises(hearing, as_samples(speech, 0.25 * speech), 48_000)
    np.testing.assert_allclose(found[:, 1], 0.25 * found[:, 0], atol=1e-6)


def test_every_channel_of_six_is_heard(hearing: Engine) -> None:
    silent = np.zeros(48_000)
    for place in (2, 5):
        channels: list[Wave] = [silent] * 6
        channels[place] = voice(1)
        found = check_promises(hearing, as_samples(*channels), 48_000)
        assert level_db(found[:, place]) > -30
        assert not np.delete(found, place, axis=1).any()


def test_a_ready_engine_says_what_it_is() -> None:
    for name, factory in engine_factories().items():
        told = factory.info
        assert told.name == name
        assert told.title
        assert told.licence
        assert told.source
        assert factory.readiness().ready or factory.readiness().fix
