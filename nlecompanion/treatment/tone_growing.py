"""Room tone of any length from a few grains: noise with the grains' spectra, overlapped and added.

Each half frame a grain is drawn at random, its phases are drawn anew, the same for all channels,
and it is added to the one before under windows whose squares sum to one. Fresh phases leave nothing
to recognise: what is heard does not loop, however short the gap was. Magnitudes and the relations
between the channels, hence colour, coherence and image, stay those of the place. (Granular texture
resynthesis; random phases as in Galerne, Gousseau, Morel 2011 for images.)

Everything drawn for frame j depends on the seed and j alone (Philox, Salmon et al. 2011), so that
any stretch can be read at any time, again and again the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nlecompanion.model import Samples
from nlecompanion.treatment.tone_finding import RoomTone
from nlecompanion.treatment.tone_grid import Real, ToneGrid

_CLIP_BLOCK_S = 5


class ToneReader:
    """`read(position, count)` of an endless tone; `gains` (bins) shape it, None leaves it.

    What is drawn depends on the tone, the seed and the position alone. Regions of one place give no
    seed and read where they lie in their media: there they share one tone, which goes on from one
    to the next and is the same sound where their handles overlap.
    """

    def __init__(self, tone: RoomTone, gains: Real | None = None, seed: str = "") -> None:
        self._grid = ToneGrid.at(tone.rate_hz)
        self._tone = tone
        self._gains = gains
        digest = hashlib.sha256(f"{tone.digest} {seed}".encode()).digest()
        self._key = np.frombuffer(digest[:16], dtype="<u8")
        self._window = self._grid.window
        # Sequential reads need the last frame of the read before.
        self._last: tuple[int, Samples] | None = None

    def read(self, position: int, count: int) -> Samples:
        """`count` samples from `position` (0 or later): float32 of shape (count, channels)."""
        if position < 0 or count < 0:
            raise ValueError(f"cannot read {count} samples from {position}: both must be 0 or more")
        hop = self._grid.hop_samples
        first, last = position // hop, (position + count - 1) // hop
        halves = np.empty(((last - first + 1) * hop, self._tone.channels), np.float32)
        for j in range(first, last + 1):
            # Frame j begins half a frame before sample j * hop.
            halves[(j - first) * hop :][:hop] = self._frame(j)[hop:] + self._frame(j + 1)[:hop]
        start = position - first * hop
        return halves[start : start + count]

    def _frame(self, number: int) -> Samples:
        import scipy.fft

        if self._last is not None and self._last[0] == number:
            return self._last[1]
        bins = self._grid.bins
        draw = np.random.Generator(np.random.Philox(key=self._key, counter=[0, 0, 0, number]))
        phases = draw.random(bins, dtype=np.float32) * np.float32(2 * np.pi)
        # Cosine and sine apart take a tenth of the time of a complex exponential.
        factors: NDArray[np.complex64] = np.empty(bins, np.complex64)
        np.cos(phases, out=factors.real)
        np.sin(phases, out=factors.imag)
        if self._gains is not None:
            factors *= self._gains
        grains = self._tone.grains
        if self._tone.estimated:
            # Each frequency was heard at its own time: there are no grains to keep together.
            which = draw.integers(0, len(grains), bins)
            spectrum = grains[which, np.arange(bins)]
        else:
            spectrum = grains[int(draw.integers(0, len(grains)))]
        shaped = np.ascontiguousarray((spectrum * factors[:, None]).T)
        sound = scipy.fft.irfft(shaped, self._grid.frame_samples, axis=1).T
        # The inverse of the grid's scale: |X|^2 sums to the mean square.
        level = np.float32(self._grid.frame_samples / 2**0.5)
        frame: Samples = (sound * (level * self._window)[:, None]).astype(np.float32)
        self._last = number, frame
        return frame


def tone_clip(tone: RoomTone, length_samples: int, gain: float = 1.0) -> Iterator[Samples]:
    """The tone by itself, for a track of its own: blocks of at most 5 s, in constant memory."""
    reader = ToneReader(tone, seed="clip")
    step = _CLIP_BLOCK_S * tone.rate_hz
    for position in range(0, length_samples, step):
        yield reader.read(position, min(step, length_samples - position)) * np.float32(gain)
