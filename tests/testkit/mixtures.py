"""Mixtures with a known truth, from any folder laid out like `../shared/audio`.

`speech/`, `music/`, `noise/` and, for rooms, `rir/` hold sound files in any format that soundfile
reads. A `Recipe` says all that a mixture is made of, `recipes` draws many of them, `build` makes
one. The same folder and recipe give the same samples, bit for bit. Speakers and pieces belong to
the calibration part or to the test part by a hash of their name, so that no voice and no piece is
ever in both.

The speech-to-background ratio is the project's own: mean squares over the 20 ms hops that lie
inside the stretches where the detector hears the *clean* voice (`diagnosis/levels.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from testkit.damage import clipped, coded, limited

from nlecompanion.diagnosis.levels import LevelMeter, hops_of, level_db
from nlecompanion.diagnosis.speech import SpeechMeter, speech_spans
from nlecompanion.model import Samples, Span

RATE_HZ = 48_000
SPEECH_LEVEL_DB = -26.0
SUFFIXES = frozenset({".flac", ".ogg", ".mp3", ".wav"})
Part = Literal["calibration", "test"]
#: In these collections the second word of a file's name is the speaker, elsewhere the first.
_COLLECTIONS = frozenset({"ravdess", "vctk", "mmi", "uh", "dfn"})
#: A "clean" voice whose own quietest hops lie above this, under its speech, has noise of its own.
_OWN_FLOOR_DB = -28.0
#: Any number would do; this one gives both parts women, men, rooms and as many pieces.
_SALT = 67
_FADE_SAMPLES = 480
_PEAK = 0.97


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a mixture is made of; names are relative to the folder.

    `drive_db`: how far the mix is driven into a limiter; `clip_db`: how far its peaks lie above
    the level where they are cut off; `codec`: "mp3" or "aac" at `codec_kbps`. All three happen to
    the mix alone, in this order. `rir` is laid on the voice, which then counts as the truth.
    """

    seed: int
    voices: tuple[str, ...]
    music: str | None = None
    noise: str | None = None
    rir: str | None = None
    sbr_db: float = 10.0
    length_s: float = 10.0
    channels: int = 1
    drive_db: float = 0.0
    clip_db: float = 0.0
    codec: str | None = None
    codec_kbps: int = 64

    @property
    def kind(self) -> str:
        """`music`, `noise`, `music+noise` or `none`."""
        return "+".join(k for k in ("music", "noise") if getattr(self, k)) or "none"


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """Sound float32 (samples, channels) at 48 kHz, aligned to the sample.

    Without drive, clipping and codec `mix` is `voice + background`. `dry` is the voice before the
    room. `speech` are the stretches of the clean voice, from the first sample; `sbr_db` the ratio
    measured over them (the recipe's, to 0.01 dB; None without a background).
    """

    recipe: Recipe
    mix: Samples
    voice: Samples
    background: Samples
    dry: Samples
    speech: tuple[Span, ...]
    sbr_db: float | None

    @property
    def rate_hz(self) -> int:
        """Samples a second."""
        return RATE_HZ


def speaker_of(name: str) -> str:
    """Who speaks in a file, by its name."""
    words = Path(name).stem.split("_")
    if words[0] in _COLLECTIONS and len(words) > 1:
        return f"{words[0]}_{words[1].split('-')[0]}"
    return words[0]


def part_of(name: str) -> Part:
    """The part that a speaker or a piece belongs to, by its name alone."""
    digest = hashlib.sha256(f"{_SALT}:{name}".encode()).digest()
    return "calibration" if digest[0] % 2 else "test"


def pieces(folder: Path, kind: str, part: Part | None = None) -> tuple[str, ...]:
    """Files of `music`, `noise` or `rir`, sorted, of one part."""
    names = sorted(
        f"{kind}/{path.name}"
        for path in (folder / kind).iterdir()
        if path.suffix.lower() in SUFFIXES
    )
    return tuple(n for n in names if part is None or part_of(Path(n).stem) == part)


def speakers(folder: Path, part: Part | None = None) -> dict[str, tuple[str, ...]]:
    """Each speaker's files, of one part; recordings with noise of their own are left out."""
    found: dict[str, list[str]] = {}
    for name in pieces(folder, "speech"):
        who = speaker_of(name)
        if (part is None or part_of(who) == part) and _is_clean(folder / name):
            found.setdefault(who, []).append(name)
    return {who: tuple(names) for who, names in found.items()}


def recipes(
    folder: Path,
    count: int,
    part: Part,
    seed: int = 1,
    *,
    sbr_db: tuple[float, float] = (-10.0, 20.0),
    length_s: float = 10.0,
    kinds: Sequence[str] = ("music", "noise", "music+noise"),
    channels: int = 1,
    rooms: float = 0.0,
    damage: float = 0.0,
) -> tuple[Recipe, ...]:
    """`count` drawn recipes: kinds in turn, ratios even over the range, speakers in turn.

    `rooms` and `damage` are the shares with a room and with a limiter, clipping or a codec.
    """
    rng = np.random.default_rng([seed, part == "test"])
    people = speakers(folder, part)
    names = list(people)
    music, noise = pieces(folder, "music", part), pieces(folder, "noise", part)
    rirs = pieces(folder, "rir", part) if rooms else ()
    places = rng.permutation(count)
    drawn: list[Recipe] = []
    for index in range(count):
        kind = kinds[index % len(kinds)]
        files = people[names[int(rng.integers(len(names)))]]
        ratio_db = sbr_db[0] + (places[index] + rng.random()) / count * (sbr_db[1] - sbr_db[0])
        hurt = int(rng.integers(1, 4)) if rng.random() < damage else 0
        drawn.append(
            Recipe(
                seed=int(rng.integers(2**31)),
                voices=tuple(files[i] for i in rng.permutation(len(files))),
                music=music[int(rng.integers(len(music)))] if "music" in kind else None,
                noise=noise[int(rng.integers(len(noise)))] if "noise" in kind else None,
                rir=rirs[int(rng.integers(len(rirs)))] if rng.random() < rooms and rirs else None,
                sbr_db=round(float(ratio_db), 2),
                length_s=length_s,
                channels=channels,
                drive_db=round(float(rng.uniform(6, 14)), 1) if hurt == 1 else 0.0,
                clip_db=round(float(rng.uniform(6, 18)), 1) if hurt == 2 else 0.0,
                codec=("mp3", "aac")[int(rng.integers(2))] if hurt == 3 else None,
                codec_kbps=int(rng.choice([32, 48, 64])),
            )
        )
    return tuple(drawn)


def mixtures(folder: Path, wanted: Sequence[Recipe]) -> Iterator[Mixture]:
    """One mixture after another, so that memory does not grow with their number."""
    for recipe in wanted:
        yield build(folder, recipe)


def build(folder: Path, recipe: Recipe) -> Mixture:
    """The mixture of a recipe."""
    rng = np.random.default_rng(recipe.seed)
    dry = _voice(folder, recipe, rng)
    voice = _in_room(dry, folder / recipe.rir) if recipe.rir else dry
    speech = heard_speech(dry)
    background = _background(folder, recipe, speech, rng)
    voice_db, background_db = _speech_level_db(voice, speech), _speech_level_db(background, speech)
    gain = _gain(SPEECH_LEVEL_DB - voice_db) if voice_db is not None else np.float32(1)
    voice, dry = voice * gain, dry * gain
    if voice_db is not None and background_db is not None and background.any():
        background = background * _gain(SPEECH_LEVEL_DB - recipe.sbr_db - background_db)
    mix = voice + background
    loudest = float(np.abs(mix).max())
    if loudest > _PEAK:
        lower = np.float32(_PEAK / loudest)
        voice, dry, background, mix = voice * lower, dry * lower, background * lower, mix * lower
    after_db, under_db = _speech_level_db(voice, speech), _speech_level_db(background, speech)
    measured = None if after_db is None or under_db is None else after_db - under_db
    return Mixture(
        recipe=recipe,
        mix=_damaged(mix, recipe),
        voice=voice,
        background=background,
        dry=dry,
        speech=speech,
        sbr_db=measured if background.any() else None,
    )


def heard_speech(voice: Samples, rate_hz: int = RATE_HZ) -> tuple[Span, ...]:
    """The stretches in which the project's detector hears a clean voice."""
    meter = SpeechMeter(rate_hz)
    meter.push(voice)
    return speech_spans(meter.finish(), Fraction(len(voice), rate_hz))


@lru_cache(maxsize=64)
def load(path: Path, channels: int) -> Samples:
    """A file at 48 kHz with 1 channel (their mean) or 2 (a mono file twice)."""
    import soundfile
    from scipy.signal import resample_poly

    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    if channels == 1 or samples.shape[1] == 1:
        samples = samples.mean(axis=1, keepdims=True)
    samples = np.repeat(samples, channels, axis=1) if samples.shape[1] == 1 else samples[:, :2]
    if rate_hz != RATE_HZ:
        divisor = int(np.gcd(rate_hz, RATE_HZ))
        samples = resample_poly(samples, RATE_HZ // divisor, rate_hz // divisor, axis=0)
    loaded: Samples = np.ascontiguousarray(samples, dtype=np.float32)
    loaded.setflags(write=False)
    return loaded


@lru_cache(maxsize=1024)
def _is_clean(path: Path) -> bool:
    # In a file of speech without a pause the quietest hops are speech, which is harmless here.
    powers = _powers(load(path, 1))
    loud = powers[powers > powers.max() * 1e-3].mean()
    return bool(np.quantile(powers, 0.05) < loud * 10 ** (_OWN_FLOOR_DB / 10))


def _voice(folder: Path, recipe: Recipe, rng: np.random.Generator) -> Samples:
    """The files one after another with pauses of 0.3 to 0.9 s, again and again, to the length."""
    length = round(recipe.length_s * RATE_HZ)
    voice = np.zeros((length, 1), np.float32)
    position = round(float(rng.uniform(0.3, 0.8)) * RATE_HZ)
    number = 0
    while position < length:
        sound = _levelled(load(folder / recipe.voices[number % len(recipe.voices)], 1))
        sound = _faded(sound)[: length - position]
        voice[position : position + len(sound)] += sound
        position += len(sound) + round(float(rng.uniform(0.3, 0.9)) * RATE_HZ)
        number += 1
    return np.repeat(_faded(voice), recipe.channels, axis=1)


def _background(
    folder: Path, recipe: Recipe, speech: Sequence[Span], rng: np.random.Generator
) -> Samples:
    """Music and noise at equal level, without a pause of ours; silence without either."""
    total = np.zeros((round(recipe.length_s * RATE_HZ), recipe.channels), np.float32)
    for name in (recipe.music, recipe.noise):
        if name is None:
            continue
        piece = load(folder / name, recipe.channels)
        for _ in range(8):
            part = _endless(piece, int(rng.integers(len(piece))), len(total))
            under_db = _speech_level_db(part, speech)
            # A dog that barks only while nobody speaks would be raised beyond measure.
            if under_db is None or under_db > _level_db(piece) - 6:
                break
        total += part * _gain(-30.0 - _level_db(part))
    return total


def _endless(piece: Samples, start: int, length: int) -> Samples:
    """`length` samples of a piece that is looped with a crossfade of 10 ms."""
    fade = min(_FADE_SAMPLES, len(piece) // 4)
    loop = piece[: len(piece) - fade].copy()
    ramp = np.linspace(0, 1, fade, dtype=np.float32)[:, None]
    loop[:fade] = piece[:fade] * np.sqrt(ramp) + piece[len(piece) - fade :] * np.sqrt(1 - ramp)
    index = (np.arange(length) + start) % len(loop)
    taken: Samples = loop[index]
    return taken


def _in_room(voice: Samples, rir: Path) -> Samples:
    """The voice in a room, beginning with the direct sound, at the direct sound's level."""
    from scipy.signal import oaconvolve

    response = load(rir, 1)[:, 0]
    peak = int(np.abs(response).argmax())
    response = response[max(0, peak - 48) :] / np.abs(response[peak])
    wet = oaconvolve(voice, response[:, None], axes=0)[: len(voice)]
    return np.asarray(wet, np.float32)


def _damaged(mix: Samples, recipe: Recipe) -> Samples:
    if recipe.drive_db:
        mix = limited(mix, RATE_HZ, recipe.drive_db)
    if recipe.clip_db:
        mix = clipped(mix, recipe.clip_db)
    if recipe.codec:
        mix = coded(mix, RATE_HZ, recipe.codec, recipe.codec_kbps)
    return mix


def _powers(sound: Samples) -> np.ndarray:
    meter = LevelMeter(RATE_HZ)
    meter.push(sound)
    return meter.finish()


def _speech_level_db(sound: Samples, speech: Sequence[Span]) -> float | None:
    powers = _powers(sound)
    return level_db(powers, hops_of(speech, powers.size))


def _level_db(sound: Samples) -> float:
    return 10 * float(np.log10(np.square(sound, dtype=np.float64).mean() + 1e-12))


def _levelled(sound: Samples) -> Samples:
    powers = _powers(sound)
    loud = powers[powers > powers.max() * 1e-3].mean()
    return sound * np.float32(0.05 / np.sqrt(loud))


def _faded(sound: Samples) -> Samples:
    fade = min(_FADE_SAMPLES, len(sound) // 2)
    ramp = np.linspace(0, 1, fade, dtype=np.float32)[:, None]
    faded = sound.copy()
    faded[:fade] *= ramp
    if fade:
        faded[-fade:] *= ramp[::-1]
    return faded


def _gain(level_db: float) -> np.float32:
    return np.float32(10 ** (level_db / 20))
