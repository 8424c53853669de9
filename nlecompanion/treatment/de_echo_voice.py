"""The voice's way through de-echo: spectra, prediction, suppression, sound."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from nlecompanion.model import Samples
from nlecompanion.treatment.de_echo_frames import Analysis, Framing, Spectra, Synthesis
from nlecompanion.treatment.de_echo_prediction import Prediction, Statistics
from nlecompanion.treatment.de_echo_suppression import Real, Suppression
from nlecompanion.treatment.de_echo_walk import StrengthWalk

#: What prediction gains on these rooms, so that suppression does not count the same echo twice.
_PREDICTED_DB = 1.5
#: With fewer frames a tap, a filter would learn the words instead of the place.
_LEAST_FRAMES_A_TAP = 6
#: Prediction harms a voice less than suppression does: it is whole from this strength on.
WHOLE_PREDICTION = 0.25


class Amount(Protocol):
    """What of a plan matters here."""

    @property
    def strength(self) -> float:
        """0..1."""

    @property
    def c50_db(self) -> float:
        """Ratio of early to late energy before."""

    @property
    def decay_s(self) -> float:
        """T60."""

    @property
    def depth_db(self) -> float:
        """How far echo goes down at strength 1."""

    @property
    def makeup_db(self) -> float:
        """Gain on the whole."""

    @property
    def together(self) -> bool:
        """Whether each channel is predicted from the past of all."""


class DeEchoSpectra:
    """Stretches of spectra in, the same less predicted echo and the gains to lay on them out."""

    def __init__(
        self, amount: Amount, framing: Framing, channels: int, walk: StrengthWalk | None = None
    ) -> None:
        self._amount, self._walk = amount, walk
        self._prediction = Prediction(framing, channels, together=amount.together)
        self._suppression = Suppression(
            framing, amount.c50_db + _PREDICTED_DB, amount.decay_s, amount.depth_db
        )
        self._waiting: tuple[Spectra, Statistics] | None = None

    def push(self, spectra: Spectra) -> Iterator[tuple[Spectra, Real]]:
        """Takes the next stretch, yields the one before it: a filter looks one stretch ahead."""
        before = None if self._waiting is None else self._waiting[0]
        statistics = self._prediction.statistics(spectra, before)
        if self._waiting is not None:
            yield self._treated(*self._waiting, statistics)
        self._waiting = spectra, statistics

    def finish(self) -> Iterator[tuple[Spectra, Real]]:
        """Yields the last stretch."""
        if self._waiting is not None:
            yield self._treated(*self._waiting, None)
            self._waiting = None

    def _treated(
        self, spectra: Spectra, own: Statistics, following: Statistics | None
    ) -> tuple[Spectra, Real]:
        amount = self._amount
        first = self._prediction.at_start
        least_frames = _LEAST_FRAMES_A_TAP * self._prediction.most_taps
        alone = first and following is None and spectra.shape[1] < least_frames
        strength = 0.0 if alone else min(1.0, amount.strength / WHOLE_PREDICTION)
        filtered = self._prediction.filtered(spectra, own, following, strength)
        power = _power(filtered)
        gains, late = self._suppression.gains(power)
        if self._walk is not None:
            self._walk.push(_power(spectra), power, late, gains)
        gains **= np.float32(amount.strength)
        gains *= np.float32(10 ** (amount.makeup_db / 20))
        return filtered, gains


def _power(spectra: Spectra) -> Real:
    """Of all channels, (frames, bins)."""
    power: Real = np.einsum("cfb,cfb->fb", spectra.real, spectra.real)
    power += np.einsum("cfb,cfb->fb", spectra.imag, spectra.imag)
    return power


class VoiceDeEcho:
    """The voice in blocks of any length in, the treated voice out: as long, without delay."""

    def __init__(self, amount: Amount, rate_hz: int, channels: int) -> None:
        framing = Framing.at(rate_hz)
        self._analysis = Analysis(framing, channels)
        self._spectra = DeEchoSpectra(amount, framing, channels)
        self._synthesis = Synthesis(framing, channels)
        self._missing_samples = 0

    def push(self, voice: Samples) -> Iterator[Samples]:
        """Takes the next block; yields what is ready."""
        self._missing_samples += len(voice)
        for spectra in self._analysis.push(voice):
            yield from self._sound(self._spectra.push(spectra))

    def finish(self) -> Iterator[Samples]:
        """Yields the rest."""
        for spectra in self._analysis.finish():
            yield from self._sound(self._spectra.push(spectra))
        yield from self._sound(self._spectra.finish())

    def _sound(self, treated: Iterator[tuple[Spectra, Real]]) -> Iterator[Samples]:
        for spectra, gains in treated:
            spectra *= gains
            sound = self._synthesis.push(spectra)[: self._missing_samples]
            self._missing_samples -= len(sound)
            yield sound
