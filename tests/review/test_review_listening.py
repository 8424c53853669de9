"""What the slider plays is what would be delivered: the page's formula against real renders."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from testkit.damage import clipped
from testkit.regions import region_of
from testkit.sound import as_samples, noise, tone
from testkit.speech import RATE_HZ, speech

from nlecompanion.engines.dsp import FACTORY as DSP
from nlecompanion.engines.passthrough import FACTORY as PASSTHROUGH
from nlecompanion.model import Region, Samples, Span
from nlecompanion.settings import Profile, load_profile
from nlecompanion.treatment.ladder import RUNGS_DB
from nlecompanion.work import Target, Tools, listening, work_region
from nlecompanion.work.listening import Wanted, prepare
from nlecompanion.work.listening_types import SETTINGS, Listening, Rung, Setting
from nlecompanion.work.places import place_of, place_tones
from nlecompanion.work.survey import survey

EXPOSED = replace(load_profile("exposed"), keep_sbr_db=200.0)
#: The issue's limit.
LIMIT_DB = -60.0


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def tools() -> Tools:
    return Tools(DSP.create(), DSP.create())


def prepared(
    region: Region,
    folder: Path,
    profile: Profile = EXPOSED,
    delivered: tuple[float, float] | None = None,
) -> Listening:
    """Stems of the region's only use."""
    tone = place_tones([survey(region)], lambda _: None)[place_of(region)]
    wanted = Wanted(
        region, region.uses[0], profile, tone, False, (False, False), Fraction(2), delivered
    )
    made = folder / "stems"
    made.mkdir()
    return prepare(wanted, tools(), folder / "scratch", made, lambda _: None)


def rendered(region: Region, folder: Path, profile: Profile) -> tuple[Samples, tuple[float, float]]:
    """The cleaned file as a run would deliver it, and its intensity and presence."""
    staged = folder / "cleaned.wav"
    target = Target(staged, staged, folder / "scratch", (False, False))
    outcome = work_region(region, tools(), profile, target, lambda _: None)
    assert outcome.account is not None
    ladder = outcome.account["ladder"]
    sound, _ = soundfile.read(staged, dtype="float32", always_2d=True)
    return sound, (ladder["intensity_db"], ladder["presence_db"])


def played(told: Listening, rung: Rung, stems: Path) -> Samples:
    """The mix as the page makes it, written down once more: nothing is shared with the server."""

    def file(name: str) -> Samples:
        sound, rate_hz = soundfile.read(stems / name, dtype="float64", always_2d=True)
        assert rate_hz == told.rate_hz
        assert sound.shape == (told.length_samples, told.channels)
        return np.asarray(sound)

    gain = np.full(told.length_samples, rung.level_gain)
    if rung.ride is not None:
        points = np.frombuffer((stems / rung.ride).read_bytes(), "<f4")
        at = np.arange(told.length_samples) / (told.rate_hz / 100)
        gain *= np.interp(at, np.arange(points.size), points)
    mix = gain[:, None] * (file(rung.voice) + rung.background_gain * file(rung.background))
    if rung.tone is not None:
        mix += rung.tone_gain * file(rung.tone)
    return mix


def apart_db(one: Samples, other: Samples) -> float:
    """Level of the difference, against that of the second."""
    return float(10 * np.log10(np.square(one - other).mean() / np.square(other).mean() + 1e-30))


def same_place(told: Listening, whole: Samples) -> Samples:
    return whole[told.offset_samples :][: told.length_samples]


def test_the_rung_that_is_delivered_sounds_like_the_delivered_file(tmp_path: Path) -> None:
    region = region_of(speech(8, channels=2), RATE_HZ, tmp_path / "a.wav")
    whole, delivered = rendered(region, tmp_path, EXPOSED)
    told = prepared(region, tmp_path, delivered=delivered)
    rung = told.rung(Setting(True, True), delivered[0])
    assert (rung.limited_s, rung.presence_db) == (0, delivered[1])
    heard = played(told, rung, tmp_path / "stems")
    assert apart_db(heard, same_place(told, whole)) < LIMIT_DB
    # And the measure can tell: the neighbour's mix is another.
    below = max(r for r in RUNGS_DB if r < delivered[0])
    other = played(told, told.rung(Setting(True, True), below), tmp_path / "stems")
    assert apart_db(other, same_place(told, whole)) > LIMIT_DB + 20


@pytest.mark.parametrize(
    ("setting", "intensity_db"),
    list(zip(SETTINGS, (0.0, 24.0, 9.0, 18.0), strict=True)),
    ids=lambda value: value.key if isinstance(value, Setting) else f"{value:g}",
)
def test_every_other_setting_sounds_like_its_own_render(
    tmp_path: Path, echoing: Path, setting: Setting, intensity_db: float
) -> None:
    region, told = echoing_region(echoing), Listening.from_values(values_in(echoing))
    rung = told.rung(setting, intensity_db)
    assert rung.de_echo_on is setting.de_echo
    assert (rung.tone is not None) is setting.room_tone
    whole, _ = rendered(region, tmp_path, setting.of(IN_ECHO, intensity_db))
    assert rung.limited_s == 0
    heard = played(told, rung, echoing / "stems")
    assert apart_db(heard, same_place(told, whole)) < LIMIT_DB


def test_riding_is_part_of_the_mix(tmp_path: Path) -> None:
    sound = speech(10)
    sound[: len(sound) // 2] *= np.float32(0.35)
    region = region_of(sound, RATE_HZ, tmp_path / "a.wav")
    profile = replace(EXPOSED, ride_db=4.0, target_lufs=-30.0)
    whole, delivered = rendered(region, tmp_path, profile)
    told = prepared(region, tmp_path, profile, delivered)
    rung = told.rung(Setting(True, True), delivered[0])
    assert rung.ride is not None
    heard = played(told, rung, tmp_path / "stems")
    assert apart_db(heard, same_place(told, whole)) < LIMIT_DB


def test_limited_peaks_are_told(tmp_path: Path) -> None:
    sound = (speech(4) * np.float32(1.6)).clip(-0.8, 0.8)
    region = region_of(sound, RATE_HZ, tmp_path / "a.wav")
    told = prepared(region, tmp_path, replace(EXPOSED, target_lufs=-10.0, ceiling_dbtp=-3.0))
    assert told.rung(Setting(True, True), 6.0).limited_s > 0


def test_equal_stems_are_written_once(tmp_path: Path) -> None:
    told = prepared(region_of(speech(4), RATE_HZ, tmp_path / "a.wav"), tmp_path)
    rungs = [rung for each in told.rungs.values() for rung in each]
    assert len(rungs) == len(SETTINGS) * len(RUNGS_DB)
    for kind in ("voice", "back", "tone"):
        names = {path.name for path in (tmp_path / "stems").glob(f"{kind}-*.wav")}
        used = {name for rung in rungs for name in (rung.voice, rung.background, rung.tone)}
        assert names <= used
    # Dry speech: de-echo has nothing to do, and the steps are the same for nearly all rungs.
    assert len({rung.voice for rung in rungs}) <= 1 + len({rung.presence_db for rung in rungs})


def test_a_long_use_is_cut_around_its_hardest_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "MOST_S", Fraction(9))
    sound = speech(20, noise=0.0)
    sound[12 * RATE_HZ : 20 * RATE_HZ] += as_samples(noise(8, level_db=-26))
    told = prepared(region_of(sound, RATE_HZ, tmp_path / "a.wav"), tmp_path)
    assert told.cut
    assert told.length_samples == 9 * RATE_HZ
    start_s, end_s = told.moment
    assert 0 <= start_s < end_s <= 9
    noisy = (told.offset_samples / RATE_HZ + start_s, told.offset_samples / RATE_HZ + end_s)
    assert noisy[0] >= 10
    original, _ = soundfile.read(tmp_path / "stems" / told.original, dtype="float32")
    assert np.array_equal(original, same_place(told, sound)[:, 0])


def test_places_are_seconds_from_the_first_sample(tmp_path: Path) -> None:
    sound = speech(16)
    region = region_of(sound, RATE_HZ, tmp_path / "a.wav")
    use = replace(
        region.uses[0], source=Span(Fraction(8), Fraction(6)), record=Span(Fraction(0), Fraction(6))
    )
    told = prepared(replace(region, uses=(use,)), tmp_path)
    assert told.offset_samples == 6 * RATE_HZ
    assert told.length_samples == 10 * RATE_HZ
    assert told.use == (2.0, 8.0)
    assert all(0 <= start_s < end_s <= 10 for start_s, end_s in told.speech)
    assert Listening.from_values(told.values()) == told


IN_ECHO = replace(EXPOSED, c50_limit_db=20.0, budget_db=40.0)


@pytest.fixture(scope="module")
def echoing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Speech in a bad room (decaying noise as its response), prepared once."""
    folder = tmp_path_factory.mktemp("echo")
    (folder / "scratch").mkdir()
    dry = speech(7, noise=0.0)[:, 0]
    rng = np.random.default_rng(3)
    tail = rng.normal(0, 1, RATE_HZ) * np.exp(-np.arange(RATE_HZ) / (0.12 * RATE_HZ))
    tail[0] = 12.0
    size = 2 * len(dry)
    wet = np.fft.irfft(np.fft.rfft(dry, size) * np.fft.rfft(tail, size), size)[: len(dry)]
    wet *= 0.3 / np.abs(wet).max()
    sound = as_samples(wet + rng.normal(0, 0.003, len(wet)))
    region = region_of(sound, RATE_HZ, folder / "a.wav")
    told = prepared(region, folder, IN_ECHO)
    (folder / "told.json").write_text(json.dumps(told.values()))
    return folder


def echoing_region(folder: Path) -> Region:
    sound, rate_hz = soundfile.read(folder / "a.wav", dtype="float32", always_2d=True)
    return region_of(sound, rate_hz, folder / "a.wav")


def values_in(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / "told.json").read_text())
    return values


BAD: dict[str, Callable[[], Samples]] = {
    "a tenth of a second": lambda: speech(4)[RATE_HZ : RATE_HZ + 4800],
    "one sample": lambda: np.full((1, 1), 0.5, np.float32),
    "no speech": lambda: as_samples(noise(2, level_db=-30)),
    "silence": lambda: np.zeros((2 * RATE_HZ, 2), np.float32),
    "a square wave": lambda: np.sign(as_samples(tone(220, 2))).astype(np.float32),
    "speech as a square wave": lambda: clipped(speech(4, noise=0.003), 60.0),
    "six channels": lambda: np.repeat(speech(2, noise=0.01), 6, axis=1),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_sound_can_be_listened_to_all_the_same(tmp_path: Path, name: str) -> None:
    region = region_of(BAD[name](), RATE_HZ, tmp_path / "bad.wav")
    told = prepared(region, tmp_path)
    for rungs in told.rungs.values():
        assert [rung.intensity_db for rung in rungs] == list(RUNGS_DB)
        heard = played(told, rungs[2], tmp_path / "stems")
        assert heard.shape == (region.length_samples, len(region.channels))
        assert np.isfinite(heard).all()


def test_the_sum_of_the_stems_is_the_original_with_an_engine_that_takes_nothing(
    tmp_path: Path,
) -> None:
    sound = speech(4)
    region = region_of(sound, RATE_HZ, tmp_path / "a.wav")
    tone = place_tones([survey(region)], lambda _: None)[place_of(region)]
    wanted = Wanted(region, region.uses[0], EXPOSED, tone, False, (True, True), Fraction(2))
    through = PASSTHROUGH.create()
    folder = tmp_path / "stems"
    folder.mkdir()
    told = prepare(wanted, Tools(through, through), tmp_path / "scratch", folder, lambda _: None)
    original, _ = soundfile.read(folder / told.original, dtype="float32", always_2d=True)
    assert np.array_equal(original, sound)
