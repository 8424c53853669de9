"""Whether two recordings hold the same sound, and where: by the sound alone, to the sample.

Both are cut to the band of speech and whitened (each band of 40 Hz is brought to one level), which
turns their cross-correlation into one narrow peak where they are the same and leaves noise
everywhere else (generalised cross-correlation: Knapp & Carter 1976, "The generalized correlation
method for estimation of time delay"). A codec, a filter, a gain or noise on one of them lowers the
peak and leaves it in its place; another take of the same words has no peak at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlecompanion.model import Samples

#: The rate at which long recordings are searched: all of the telephone band.
SEARCH_RATE_HZ = 8_000
SEARCH_BAND_HZ = (300.0, 3400.0)
#: The band in which a place is found to the sample.
ALIGN_BAND_HZ = (300.0, 6000.0)
#: Shorter sound than this is not looked for.
MIN_S = 0.5
_WHITE_HZ = 40.0
#: Bands this far under the mean hold rounding, not sound.
_EMPTY = 1e-6
#: Lags whose own sound is this far under the block's are judged as if it were as loud.
_QUIET = 0.01
#: The found place may begin this long before the first sample, or end after the last: an edge
#: that an encoder cut off.
_OVERHANG_S = 0.1
_BLOCK_S = 32.0


@dataclass(frozen=True, slots=True)
class Match:
    """Where a sound was found best.

    `position_samples` is where its first sample lies in what was searched (negative where it
    begins before); `correlation` that of the whitened signals there, -1 to 1, negative where the
    polarity is turned over; `sureness` its size over the standard deviation at all other places.
    """

    position_samples: int
    correlation: float
    sureness: float


class SoundFinder:
    """Looks for several short sounds in one long one, in one pass; memory does not grow.

    `sounds` are mono, float32, of shape (samples,), at `rate_hz`. `push` takes the long sound in
    blocks of any length, `finish` gives the best place of each; None for a sound that is too short
    or silent, and where all that was searched is silent.
    """

    def __init__(
        self,
        sounds: Sequence[Samples],
        rate_hz: int = SEARCH_RATE_HZ,
        band_hz: tuple[float, float] = SEARCH_BAND_HZ,
    ) -> None:
        import scipy.fft

        self._rate_hz, self._band_hz = rate_hz, band_hz
        longest = max((len(sound) for sound in sounds), default=1)
        wanted = max(round(_BLOCK_S * rate_hz), 2 * longest) if rate_hz <= 16_000 else 2 * longest
        self._size = scipy.fft.next_fast_len(wanted, real=True)
        self._hop = self._size - longest + 1
        self._sought = [self._sought_for(sound) for sound in sounds]
        self._pad = round(_OVERHANG_S * rate_hz)
        self._held: Samples = np.zeros(self._pad, np.float32)
        #: Where the first held sample lies in what was pushed.
        self._at = -self._pad
        self._pushed = 0

    def push(self, block: Samples) -> None:
        """Takes the next block, float32 of shape (samples,)."""
        self._pushed += len(block)
        self._held = np.concatenate([self._held, block])
        while len(self._held) >= self._size:
            self._search(self._held[: self._size], self._hop)
            self._held = self._held[self._hop :]
            self._at += self._hop

    def finish(self) -> tuple[Match | None, ...]:
        """The best place of each sound."""
        self._held = np.concatenate([self._held, np.zeros(self._pad, np.float32)])
        while len(self._held) and self._at < self._pushed:
            self._search(self._held[: self._size], min(self._hop, len(self._held)))
            self._held = self._held[self._hop :]
            self._at += self._hop
        return tuple(None if sought is None else sought.best() for sought in self._sought)

    def _sought_for(self, sound: Samples) -> _Sought | None:
        import scipy.fft

        if len(sound) < MIN_S * self._rate_hz or not sound.any():
            return None
        size = scipy.fft.next_fast_len(len(sound), real=True)
        white = scipy.fft.irfft(self._whitened(sound, size), size)[: len(sound)]
        energy = float(np.square(white, dtype=np.float64).sum())
        if energy <= 0:
            return None
        white = (white / np.sqrt(energy)).astype(np.float32)
        return _Sought(len(sound), np.conj(scipy.fft.rfft(white, self._size)))

    def _search(self, sound: Samples, lags: int) -> None:
        """Lags 0 to `lags` of one block; what is missing at its end is silence."""
        import scipy.fft

        if not sound.any():
            return
        spectrum = self._whitened(sound, self._size)
        white = scipy.fft.irfft(spectrum, self._size)
        sums = np.concatenate([[0.0], np.cumsum(np.square(white, dtype=np.float64))])
        quiet = _QUIET * sums[-1] / len(sound)
        for sought in self._sought:
            if sought is None:
                continue
            count = max(0, min(lags, len(sound) + self._pad - sought.length_samples))
            products = scipy.fft.irfft(spectrum * sought.spectrum, self._size)[:count]
            ends = np.minimum(np.arange(count) + sought.length_samples, self._size)
            energy = np.maximum(sums[ends] - sums[:count], quiet * sought.length_samples)
            sought.take(products / np.sqrt(energy), self._at)

    def _whitened(self, sound: Samples, size: int) -> NDArray[np.complex64]:
        """The spectrum with every 40 Hz of the band at one level and nothing outside of it."""
        import scipy.fft

        spectrum = scipy.fft.rfft(sound, size)
        hz = size / self._rate_hz
        low = max(1, round(self._band_hz[0] * hz))
        high = min(round(self._band_hz[1] * hz), len(spectrum) - 1)
        power = np.square(np.abs(spectrum[low:high]), dtype=np.float64)
        width = max(1, round(_WHITE_HZ * hz / 2))
        sums = np.concatenate([[0.0], np.cumsum(power)])
        places = np.arange(len(power))
        first, last = np.maximum(places - width, 0), np.minimum(places + width + 1, len(power))
        level = (sums[last] - sums[first]) / (last - first)
        gains = 1 / np.sqrt(level + _EMPTY * power.mean() + 1e-30)
        spectrum[:low] = 0
        spectrum[high:] = 0
        spectrum[low:high] *= gains.astype(np.float32)
        return np.asarray(spectrum, np.complex64)


class _Sought:
    """One sound and the best place so far."""

    def __init__(self, length_samples: int, spectrum: NDArray[np.complex64]) -> None:
        self.length_samples, self.spectrum = length_samples, spectrum
        self._place, self._correlation = 0, 0.0
        self._squares, self._count = 0.0, 0

    def take(self, correlations: NDArray[np.float64], first: int) -> None:
        if not len(correlations):
            return
        best = int(np.argmax(np.abs(correlations)))
        if abs(correlations[best]) > abs(self._correlation):
            self._place, self._correlation = first + best, float(correlations[best])
        self._squares += float(np.square(correlations).sum())
        self._count += len(correlations)

    def best(self) -> Match | None:
        if not self._correlation:
            return None
        # The peak itself is no noise; with few lags it would count.
        others = max(self._squares - self._correlation**2, 1e-30) / max(1, self._count - 1)
        sureness = abs(self._correlation) / float(np.sqrt(others))
        return Match(self._place, self._correlation, sureness)


def align(sound: Samples, there: Samples, rate_hz: int) -> Match | None:
    """The place of `sound` in `there` to the sample, both mono, float32, at `rate_hz`.

    None where one of them is silent or too short.
    """
    finder = SoundFinder([sound], rate_hz, ALIGN_BAND_HZ)
    finder.push(there)
    return finder.finish()[0]


#: Measured on voices of 6 speakers under noise and music (+5 to -15 dB), in rooms and through
#: codecs at 32 and 64 kbit/s, over 1 to 8 s: other takes stay under 0.21 / sqrt(s) but for music
#: of held tones (0.31 at 3 s, where sureness was 24); the same take lies above 0.3 / sqrt(s).
_FOUND = 0.3
_FOUND_SURELY = 12.0
#: At a place that is known already fewer others compete.
_CONFIRMED = 0.25
_CONFIRMED_SURELY = 6.0
#: A voice taken out of one sound is in another. Measured on two engines, ratios of 0 to 20 dB there
#: and -12 to 6 dB here: over a shared background other voices reach 0.34 (0.52 where both lie at
#: 0 dB), the same voice 0.39 and more; from 10 dB on others reach 1.3 times their background.
_HOLDS_SURELY = 0.38
_HOLDS = 0.3
_HOLDS_OVER_BACKGROUND = 1.3


def is_found(match: Match | None, length_s: float) -> bool:
    """Whether a sound of that length is truly in what was searched for it."""
    return _reaches(match, _FOUND / length_s**0.5, _FOUND_SURELY)


def is_confirmed(match: Match | None, length_s: float) -> bool:
    """Whether `align` found the same sound within about 0.1 s of a place that was found before."""
    return _reaches(match, _CONFIRMED / length_s**0.5, _CONFIRMED_SURELY)


def holds(
    voice: Samples, background: Samples, sound: Samples, rate_hz: int, *, clear: bool
) -> bool:
    """Whether the mixture `sound` holds `voice`, all mono, of one length and in step.

    `voice` and `background` are the estimates of another mixture. It tells the same take from
    another one over the same music. `clear`: the voice stands 10 dB and more above its background
    there, so that its estimate is hardly mixed with it; then a faint trace is enough (a microphone
    across the room), if there is more of the voice than of the background.
    """
    near = round(0.005 * rate_hz)
    padded = np.pad(sound, near)
    found = align(voice, padded, rate_hz)
    if found is None:
        return False
    if abs(found.correlation) >= _HOLDS_SURELY:
        return True
    length_s = len(voice) / rate_hz
    if not clear or not _reaches(found, _HOLDS / length_s**0.5, 0.0):
        return False
    other = align(background, padded, rate_hz)
    over = _HOLDS_OVER_BACKGROUND
    return other is None or abs(found.correlation) >= over * abs(other.correlation)


def _reaches(match: Match | None, correlation: float, sureness: float) -> bool:
    return (
        match is not None and abs(match.correlation) >= correlation and match.sureness >= sureness
    )
