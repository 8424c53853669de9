"""How channels relate: dead, dual mono, turned over, late; and which carries the voice best."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.bands import as_db, gap_hops, hops_inside
from nlecompanion.diagnosis.spectra import Powers, Spectra
from nlecompanion.model import Span

#: Quieter than this, or this far under the loudest, a channel is dead.
_DEAD_DBFS = -85.0
_DEAD_UNDER_DB = -60.0
#: Dual mono: what one does not say of the other is 40 dB down.
_SAME_DB = -40.0
_INVERTED = -0.5
#: Delays up to this are looked for; sound goes 17 m in it.
_MOST_DELAY_S = 0.05
#: A delay's peak stands this far above the next in the phase correlation.
_CLEAR_PEAK = 1.5
_VOICE_HZ = (300.0, 6000.0)
#: The dynamic range of a voice on a good close microphone; more is not better.
_BEST_RANGE_DB = 45.0
#: Margins under this in dB are a coin's throw.
_CLEAR_MARGIN_DB = 6.0


@dataclass(frozen=True, slots=True)
class ChannelPair:
    """Two channels' relation: correlation at no delay (-1 to 1) and which comes later.

    `delay_ms` is positive where the second is late; None where there is no clear delay.
    """

    first: int
    second: int
    correlation: float
    dual_mono: bool
    inverted: bool
    delay_ms: float | None


@dataclass(frozen=True, slots=True)
class Channels:
    """All channels: level in dBFS, how far the voice stands above what lies under it, relations.

    `voice_range_db` is the level (300 Hz to 6 kHz) of speech's loud hops over that of the gaps,
    or of speech's quietest hops where there are no gaps: noise and reverberation lower it. None
    for dead channels and without speech. `best` is the channel with the greatest, `sureness` (0
    to 1) how clearly so; None where there is no choice to be made.
    """

    levels_dbfs: tuple[float, ...]
    dead: tuple[bool, ...]
    voice_range_db: tuple[float | None, ...]
    pairs: tuple[ChannelPair, ...]
    best: int | None
    sureness: float


class ChannelMeter:
    """Wants the mixture, all its channels: short spectra for levels, long ones for delays."""

    def __init__(
        self, rate_hz: int, frame: int, hop_samples: int, low_rate_hz: float, channels: int
    ) -> None:
        self._hop_s, self._low_rate_hz = hop_samples / rate_hz, low_rate_hz
        self._low = max(1, round(_VOICE_HZ[0] * frame / rate_hz))
        self._high = min(frame // 2, round(_VOICE_HZ[1] * frame / rate_hz))
        self._pairs = list(combinations(range(channels), 2))
        self._products: NDArray[np.float64] = np.zeros(len(self._pairs))
        self._power: NDArray[np.float64] = np.zeros(channels)
        self._frames = 0
        self._voice: list[NDArray[np.float32]] = []
        self._crosses: dict[tuple[int, int], NDArray[np.complex128]] = {}

    def push(self, spectra: Spectra, power: Powers) -> None:
        """Takes short spectra (frames, channels, bins) and their power."""
        self._voice.append(power[:, :, self._low : self._high].sum(axis=2))
        self._power += power[:, :, 1:].sum(axis=2).sum(axis=0, dtype=np.float64)
        self._frames += len(power)
        for index, (first, second) in enumerate(self._pairs):
            one, other = spectra[:, first, 1:], spectra[:, second, 1:]
            product = np.einsum("fb,fb->f", one.real, other.real)
            product += np.einsum("fb,fb->f", one.imag, other.imag)
            self._products[index] += product.sum(dtype=np.float64)

    def push_long(self, spectra: Spectra) -> None:
        """Takes long low-rate spectra (frames, channels, bins)."""
        for first, second in self._pairs:
            cross = (spectra[:, second] * np.conj(spectra[:, first])).sum(
                axis=0, dtype=np.complex128
            )
            kept = self._crosses.get((first, second))
            self._crosses[first, second] = cross if kept is None else kept + cross

    def finish(self, speech: tuple[Span, ...]) -> Channels | None:
        """None where the sound is shorter than a frame."""
        if not self._frames:
            return None
        power = self._power / self._frames
        levels_dbfs = as_db(power)
        alive = (levels_dbfs > _DEAD_DBFS) & (levels_dbfs > levels_dbfs.max() + _DEAD_UNDER_DB)
        ranges = self._ranges(speech, alive)
        best, sureness = _best(ranges)
        return Channels(
            levels_dbfs=tuple(float(level) for level in levels_dbfs),
            dead=tuple(not bool(there) for there in alive),
            voice_range_db=ranges,
            pairs=tuple(
                self._pair(index, first, second)
                for index, (first, second) in enumerate(self._pairs)
                if alive[first] and alive[second]
            ),
            best=best,
            sureness=sureness,
        )

    def _pair(self, index: int, first: int, second: int) -> ChannelPair:
        both = np.sqrt(self._power[first] * self._power[second])
        correlation = float(np.clip(self._products[index] / both, -1, 1))
        apart_db = 10 * np.log10(max(1 - correlation**2, 1e-12))
        ratio_db = abs(10 * np.log10(self._power[first] / self._power[second]))
        same = apart_db < _SAME_DB and ratio_db < 0.5
        delay_ms, sign = (None, 1.0) if same else self._delay(first, second)
        return ChannelPair(
            first,
            second,
            correlation,
            dual_mono=bool(same and correlation > 0),
            inverted=correlation < _INVERTED or (delay_ms is not None and sign < 0),
            delay_ms=delay_ms,
        )

    def _delay(self, first: int, second: int) -> tuple[float | None, float]:
        """Delay in ms and the sign of the correlation there (GCC-PHAT, Knapp & Carter 1976)."""
        cross = self._crosses.get((first, second))
        if cross is None or not np.abs(cross).any():
            return None, 1.0
        size = np.abs(cross)
        # Frequencies without energy in common have no phase to trust.
        heard = size > size.max() * 1e-6
        heard &= np.arange(len(size)) < 2 * len(size) // 3
        whitened = np.where(heard, cross / np.maximum(size, 1e-30), 0)
        found = np.fft.irfft(whitened)
        reach = int(_MOST_DELAY_S * self._low_rate_hz)
        near = np.concatenate([found[-reach:], found[: reach + 1]])
        height = np.abs(near)
        at = int(np.argmax(height))
        others = height.copy()
        others[max(0, at - 4) : at + 5] = 0
        if height[at] < _CLEAR_PEAK * others.max() or not 0 < at < len(near) - 1:
            return None, 1.0
        left, own, right = height[at - 1], height[at], height[at + 1]
        bend = min(left - 2 * own + right, -1e-12)
        place = at + (left - right) / (2 * bend) - reach
        return float(1000 * place / self._low_rate_hz), float(np.sign(near[at]))

    def _ranges(
        self, speech: tuple[Span, ...], alive: NDArray[np.bool_]
    ) -> tuple[float | None, ...]:
        voice_db = as_db(np.concatenate(self._voice))
        inside = hops_inside(speech, len(voice_db), self._hop_s)
        if not inside.any():
            return (None,) * len(alive)
        gaps = gap_hops(speech, len(voice_db), self._hop_s)
        ranges: list[float | None] = []
        for channel, there in enumerate(alive):
            loud, low = np.percentile(voice_db[inside, channel], (75, 10))
            if gaps.sum() * self._hop_s >= 0.2:
                # Half the noise in gaps, half how deep the dips between syllables are.
                low = 0.5 * low + 0.5 * float(voice_db[gaps, channel].mean())
            ranges.append(float(min(loud - low, _BEST_RANGE_DB)) if there else None)
        return tuple(ranges)


def _best(ranges: tuple[float | None, ...]) -> tuple[int | None, float]:
    """The channel with the greatest range; the margin over the next, 0 to 1."""
    known = sorted(
        ((db, -channel) for channel, db in enumerate(ranges) if db is not None), reverse=True
    )
    if not known or len(ranges) < 2:
        return None, 0.0
    if len(known) == 1:
        return -known[0][1], 1.0
    margin_db = known[0][0] - known[1][0]
    return -known[0][1], float(min(margin_db / _CLEAR_MARGIN_DB, 1.0))
