"""How well the words of a result can be understood, against the clean voice that it was made from.

Both measures want other rates than the sound's. Mixing and resampling are linear, so voice and
background are resampled once, and every intensity is mixed at the lower rate.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlecompanion.model import Samples, Span
from nlecompanion.units import gain_from_db

PACKAGES = ("pesq", "pystoi")
#: Speech is judged with this much around it: a detector's edges are not a word's.
AROUND_S = Fraction(1, 10)
_STOI_HZ, _PESQ_HZ = 10_000, 16_000
Mono = NDArray[np.float64]


def missing_packages() -> tuple[str, ...]:
    """What must be installed before anything can be judged."""
    return tuple(name for name in PACKAGES if find_spec(name) is None)


@dataclass(frozen=True, slots=True, eq=False)
class _AtRate:
    clean: Mono
    voice: Mono
    background: Mono

    def mixed(self, intensity_db: float) -> Mono:
        return self.voice + gain_from_db(-intensity_db) * self.background


class Truth:
    """Scores of `voice + 10^(-intensity/20) * background` over the stretches with speech.

    `clean`, `voice` and `background` are float32 (samples, channels), `speech` the stretches of
    the clean voice.
    """

    def __init__(
        self,
        clean: Samples,
        voice: Samples,
        background: Samples,
        speech: Sequence[Span],
        rate_hz: int,
    ) -> None:
        kept = spoken(speech, len(clean), rate_hz)
        self._sounds = [sound[kept].mean(axis=1) for sound in (clean, voice, background)]
        self._rate_hz = rate_hz
        self._at: dict[int, _AtRate] = {}

    def stoi(self, intensity_db: float) -> float:
        """Short-time objective intelligibility (Taal et al. 2011), 0 to 1."""
        at = self._lowered(_STOI_HZ)
        package: Any = import_module("pystoi")
        with warnings.catch_warnings():
            # It warns where too little speech is left, and then gives 1e-5: that is the score.
            warnings.simplefilter("ignore", RuntimeWarning)
            return float(package.stoi(at.clean, at.mixed(intensity_db), _STOI_HZ))

    def pesq(self, intensity_db: float) -> float:
        """PESQ wideband (ITU-T P.862.2); 1 where it finds no utterance."""
        at = self._lowered(_PESQ_HZ)
        package: Any = import_module("pesq")
        try:
            return float(package.pesq(_PESQ_HZ, at.clean, at.mixed(intensity_db), "wb"))
        except package.NoUtterancesError:
            return 1.0

    def _lowered(self, rate_hz: int) -> _AtRate:
        if rate_hz not in self._at:
            from scipy.signal import resample_poly

            divisor = int(np.gcd(self._rate_hz, rate_hz))
            up, down = rate_hz // divisor, self._rate_hz // divisor
            self._at[rate_hz] = _AtRate(
                *(resample_poly(s.astype(np.float64), up, down) for s in self._sounds)
            )
        return self._at[rate_hz]


def spoken(speech: Sequence[Span], length: int, rate_hz: int) -> NDArray[np.bool_]:
    """Which samples lie in the stretches of speech, 0.1 s around them included; all without any."""
    kept = np.zeros(length, dtype=bool)
    for span in speech:
        start_s, end_s = span.start_s - AROUND_S, span.end_s + AROUND_S
        kept[max(0, int(start_s * rate_hz)) : int(end_s * rate_hz)] = True
    return kept if kept.any() else ~kept
