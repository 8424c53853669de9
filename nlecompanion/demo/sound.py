"""The demo's sound: committed speech, and music, room and noise made here, the same on every run.

Everything is float64 at 48 kHz, mono of shape (samples,) or stereo of shape (samples, 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 48_000
#: Speech level over its active 20 ms frames, RMS: usual for dialogue on location.
SPEECH_DB = -23.0
_PEAK_LIMIT = 0.9
#: A frame is active above this level below the loudest one.
_ACTIVE_DB = -35.0
_FRAME_SAMPLES = RATE_HZ // 50
#: C, A minor, F, G: semitones from A4 (440 Hz).
_CHORDS = ((-9, -5, -2), (-12, -9, -5), (-16, -12, -9), (-14, -10, -7))

Sound = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence: the name of its FLAC and where it begins in the recording."""

    name: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Background:
    """What lies under the speech, each part by its level in dB against the others; None: absent."""

    music_db: float | None = None
    hiss_db: float | None = None
    hum_db: float | None = None


def mix(
    lines: tuple[Line, ...], background: Background, sbr_db: float, duration_s: float, seed: int
) -> Sound:
    """Speech in a small room, `sbr_db` above its background, in stereo."""
    length = round(duration_s * RATE_HZ)
    under = _background(background, length, seed)
    target_db = SPEECH_DB - sbr_db
    under *= 10 ** (target_db / 20) / np.sqrt(np.mean(under**2))
    sound = under
    if lines:
        voice = np.zeros(length)
        for line in lines:
            speech = load_line(line.name)
            start = round(line.at_s * RATE_HZ)
            voice[start : start + len(speech)] += speech
        voice *= 10 ** (SPEECH_DB / 20) / active_rms(voice)
        sound = under + _in_room(voice, seed)
    return sound * min(1.0, _PEAK_LIMIT / float(np.abs(sound).max()))


def load_line(name: str) -> Sound:
    """A committed sentence at 48 kHz, mono."""
    import soundfile
    from scipy.signal import resample_poly

    with files("nlecompanion.demo").joinpath(f"{name}.flac").open("rb") as file:
        speech, rate_hz = soundfile.read(file, dtype="float64")
    return np.asarray(resample_poly(speech, RATE_HZ, rate_hz), dtype=np.float64)


def active_rms(sound: Sound) -> float:
    """RMS over the 20 ms frames within 35 dB of the loudest one."""
    whole = len(sound) // _FRAME_SAMPLES * _FRAME_SAMPLES
    power = np.mean(sound[:whole].reshape(-1, _FRAME_SAMPLES) ** 2, axis=1)
    active = power > power.max() * 10 ** (_ACTIVE_DB / 10)
    return float(np.sqrt(power[active].mean()))


def music(length: int, seed: int) -> Sound:
    """Four chords in a circle at 96 beats a minute: bass, plucked chords, a brushed off-beat."""
    beat = RATE_HZ * 60 // 96
    beats = length // beat + 1
    out = np.zeros(((beats + 4) * beat, 2))
    rng = np.random.default_rng(seed)
    brush = rng.standard_normal(beat // 4) * np.exp(-np.arange(beat // 4) / (0.02 * RATE_HZ))
    for number in range(beats):
        chord = _CHORDS[number // 4 % len(_CHORDS)]
        at = number * beat
        if number % 2 == 0:
            _add(out, at, _pluck(chord[0] - 24, 2 * beat), 0.9, 0.5)
        for voice, semitone in enumerate(chord):
            _add(out, at + voice * beat // 6, _pluck(semitone, 2 * beat), 0.35, 0.2 + 0.3 * voice)
        _add(out, at + beat // 2, brush, 0.08, 0.65)
    return out[:length]


def _background(parts: Background, length: int, seed: int) -> Sound:
    out = np.zeros((length, 2))
    made = (
        (parts.music_db, music),
        (parts.hiss_db, _hiss),
        (parts.hum_db, _hum),
    )
    for level_db, make in made:
        if level_db is not None:
            sound = make(length, seed)
            out += sound * 10 ** (level_db / 20) / np.sqrt(np.mean(sound**2))
    return out


def _hiss(length: int, seed: int) -> Sound:
    """Room and preamplifier: noise that falls 3 dB an octave, slowly breathing, wide."""
    from scipy.signal import lfilter

    rng = np.random.default_rng(seed + 1)
    white = rng.standard_normal((length, 2))
    # J. O. Smith, Spectral Audio Signal Processing, "Example: Synthesis of 1/F Noise".
    pink = lfilter(
        (0.049922, -0.095993, 0.050613, -0.004408), (1, -2.494956, 2.017266, -0.522189), white, 0
    )
    breath = 1 + 0.15 * np.sin(2 * np.pi * 0.3 * np.arange(length) / RATE_HZ)
    return np.asarray(pink * breath[:, None], dtype=np.float64)


def _hum(length: int, seed: int) -> Sound:
    """Mains: 50 Hz and its harmonics, the odd ones stronger, the same on both channels."""
    time_s = np.arange(length) / RATE_HZ
    phases = np.random.default_rng(seed + 2).uniform(0, 2 * np.pi, 12)
    tone = np.zeros(length)
    for harmonic, phase in enumerate(phases, start=1):
        weight = (1.0 if harmonic % 2 else 0.4) / harmonic
        tone += weight * np.sin(2 * np.pi * 50 * harmonic * time_s + phase)
    return np.stack([tone, tone], axis=1)


def _in_room(voice: Sound, seed: int) -> Sound:
    """The voice in the middle, with a quarter of a second of small room around it."""
    from scipy.signal import fftconvolve

    length = RATE_HZ // 4
    rng = np.random.default_rng(seed + 3)
    decay = 10 ** (-3 * np.arange(length) / length)
    room = rng.standard_normal((length, 2)) * decay[:, None]
    room[: RATE_HZ // 250] = 0  # 4 ms until the first wall answers
    room *= 10 ** (-14 / 20) / np.sqrt(np.sum(room**2, axis=0))
    room[0] = 1
    wet = fftconvolve(voice[:, None], room, axes=0)[: len(voice)]
    return np.asarray(wet, dtype=np.float64)


@lru_cache(maxsize=32)
def _pluck(semitone: int, length: int) -> Sound:
    """A string: six harmonics, the higher the shorter. Kept, so not to be written to."""
    time_s = np.arange(length) / RATE_HZ
    pitch_hz = 440.0 * 2 ** (semitone / 12)
    tone = np.zeros(length)
    for harmonic in range(1, 7):
        fading = np.exp(-time_s * (2.5 + 1.5 * harmonic))
        tone += np.sin(2 * np.pi * pitch_hz * harmonic * time_s) * fading / harmonic
    tone[: RATE_HZ // 200] *= np.linspace(0, 1, RATE_HZ // 200)
    tone[-RATE_HZ // 100 :] *= np.linspace(1, 0, RATE_HZ // 100)
    tone.flags.writeable = False
    return tone


def _add(out: Sound, at: int, tone: Sound, gain: float, right: float) -> None:
    """Lays a mono tone into the stereo mix; `right` is 0 (left) to 1 (right)."""
    out[at : at + len(tone), 0] += tone * gain * np.cos(right * np.pi / 2)
    out[at : at + len(tone), 1] += tone * gain * np.sin(right * np.pi / 2)
