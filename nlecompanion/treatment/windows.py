"""Sound in windows at fixed places, each with its surroundings.

A step that looks ahead and behind works on one window at a time: no delay, the same length, and
blocks of any length give the same result, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from nlecompanion.model import Samples
from nlecompanion.treatment.stems import Stems

Real = NDArray[np.floating]


def windows(
    blocks: Iterable[Samples], window_samples: int, reach_samples: int
) -> Iterator[Samples]:
    """Float32 of shape (signals, reach + window + reach), a window after another.

    The last window is as long as what is left. Before the first sample and after the last one
    the sound is mirrored, so that neither a click nor a fade arises there.
    """
    pending: list[Samples] = []
    held = 0
    begun = False
    for block in blocks:
        if not len(block):
            continue
        pending.append(block)
        held += len(block)
        if held < window_samples + (2 if begun else 1) * reach_samples:
            continue
        sound = np.concatenate(pending).T
        if not begun:
            sound = np.concatenate([_mirrored(sound, reach_samples)[0], sound], axis=1)
            begun = True
        count = (sound.shape[1] - 2 * reach_samples) // window_samples
        for start in range(0, count * window_samples, window_samples):
            yield np.ascontiguousarray(sound[:, start : start + window_samples + 2 * reach_samples])
        rest = sound[:, count * window_samples :].T.copy()
        pending, held = [rest], len(rest)
    if held:
        yield from _last(np.concatenate(pending).T, window_samples, reach_samples, begun)


def _last(
    sound: Samples, window_samples: int, reach_samples: int, begun: bool
) -> Iterator[Samples]:
    before, after = _mirrored(sound, reach_samples)
    parts = [sound, after] if begun else [before, sound, after]
    whole = np.concatenate(parts, axis=1)
    for start in range(0, whole.shape[1] - 2 * reach_samples, window_samples):
        yield np.ascontiguousarray(whole[:, start : start + window_samples + 2 * reach_samples])


def _mirrored(sound: Samples, reach_samples: int) -> tuple[Samples, Samples]:
    wide = np.pad(sound, ((0, 0), (reach_samples, reach_samples)), mode="symmetric")
    return wide[:, :reach_samples], wide[:, -reach_samples:]


def stem_windows(
    blocks: Iterable[Stems], window_samples: int, reach_samples: int
) -> Iterator[Samples]:
    """The same of stems: the voice's channels, then as many of the background."""
    together = (np.concatenate([block.voice, block.background], axis=1) for block in blocks)
    return windows(together, window_samples, reach_samples)


def as_stems(signals: Samples) -> Stems:
    """Stems from (signals, samples), as `stem_windows` lays them."""
    channels = len(signals) // 2
    return Stems(
        np.ascontiguousarray(signals[:channels].T), np.ascontiguousarray(signals[channels:].T)
    )


def zero_phase(
    gain: Callable[[Real], Real], rate_hz: int, length_samples: int, half_samples: int
) -> Samples:
    """A linear-phase filter without its delay, as the real spectrum of `length_samples`.

    `gain` gives the amplitude wanted at frequencies in Hz. The impulse response reaches
    `half_samples` to either side: what lies further out is cut off by a Hann window (the window
    method, Oppenheim & Schafer 2010, 7.5).
    """
    import scipy.fft

    frequency_hz = np.arange(length_samples // 2 + 1) * (rate_hz / length_samples)
    taps = scipy.fft.irfft(gain(frequency_hz), length_samples)
    distance = np.minimum(np.arange(length_samples), length_samples - np.arange(length_samples))
    taps *= np.where(
        distance < half_samples, 0.5 + 0.5 * np.cos(np.pi * distance / half_samples), 0
    )
    return np.asarray(scipy.fft.rfft(taps).real, np.float32)


def ramp(frequency_hz: Real, low_hz: float, high_hz: float) -> Real:
    """From 0 at `low_hz` and below to 1 at `high_hz` and above, along a raised cosine."""
    place = np.clip((frequency_hz - low_hz) / (high_hz - low_hz), 0, 1)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * place))
