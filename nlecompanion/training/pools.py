"""Pools of spectra, from which batches are mixed.

Cutting, resampling and convolving cost more than the network does, so each item serves several
batches, every time with another partner, level, colour and offset. What a slot holds depends only
on the seed, the slot and how often it was filled: a resumed training rebuilds the same pool.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nlecompanion.engines.dialogue import bands
from nlecompanion.engines.dialogue.spectrum import analyse, wide_sums
from nlecompanion.training import augment
from nlecompanion.training.sources import Collection

CPU = torch.device("cpu")
#: How many items workers may be ahead of the training, for each pool.
_AHEAD = 64

Maker = Callable[[np.random.Generator], tuple[augment.Sound, float]]


@dataclass(frozen=True, slots=True)
class Rooms:
    """Measured rooms, where given; synthetic ones are always among them."""

    measured: Collection | None = None

    def draw(self, rng: np.random.Generator) -> augment.Sound:
        """An impulse response whose largest sample is the direct sound."""
        if self.measured is not None and rng.random() < 0.5:
            return self.measured.whole(rng)[: 2 * bands.RATE_HZ]
        return augment.synthetic_room(rng)


def voice_maker(voices: Collection, rooms: Rooms, length_samples: int) -> Maker:
    """Makes voices: other speeds in most, a room in a third, clipping in a few.

    Few voices are free: at another speed each is another person.
    """

    def make(rng: np.random.Generator) -> tuple[augment.Sound, float]:
        sound, bandwidth_hz = augment.at_other_speed(
            voices, length_samples, augment.VOICE_SPEEDS, 0.8, rng
        )
        if rng.random() < 0.35:
            sound = augment.in_room(sound, rooms.draw(rng))
        if rng.random() < 0.05:
            sound = augment.distorted(sound, rng)
        return sound, bandwidth_hz

    return make


def background_maker(
    music: Collection, effects: Collection, rooms: Rooms, length_samples: int
) -> Maker:
    """Makes backgrounds: music in half, effects, and synthetic noise in a tenth."""

    def make(rng: np.random.Generator) -> tuple[augment.Sound, float]:
        kind = rng.random()
        if kind < 0.08:
            return augment.coloured_noise(length_samples, rng), bands.RATE_HZ / 2
        chosen = music if kind < 0.56 else effects
        sound, bandwidth_hz = augment.at_other_speed(
            chosen, length_samples, augment.BACKGROUND_SPEEDS, 0.6, rng
        )
        if rng.random() < 0.12:
            sound = augment.in_room(sound, rooms.draw(rng))
        if rng.random() < 0.08:
            sound = augment.distorted(sound, rng)
        return sound, bandwidth_hz

    return make


@dataclass(frozen=True, slots=True)
class Item:
    """What fills a slot: (frames, 256, 2) and (frames, 29) of float16, and the bandwidth."""

    low: Tensor
    wide: Tensor
    bandwidth_hz: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where pools lie, and who prepares their items: a GPU waits for one thread that does it."""

    device: torch.device = CPU
    workers: Executor | None = None


class Pool:
    """Slots of spectra: complex bins below 6 kHz, amplitudes of the wide bands above."""

    def __init__(
        self,
        make: Maker,
        slots: int,
        length_samples: int,
        seed: tuple[int, ...],
        place: Place | None = None,
    ) -> None:
        frames = length_samples // bands.HOP_SAMPLES
        place = place or Place()
        self.frames = frames
        self.device = place.device
        kind: dict[str, Any] = {"dtype": torch.float16, "device": place.device}
        self.low = torch.zeros(slots, frames, bands.SINGLE_BINS, 2, **kind)
        self.wide = torch.zeros(slots, frames, bands.WIDE_BANDS, **kind)
        self.bandwidth_hz = torch.zeros(slots)
        self._make = make
        self._seed = seed
        self._filled = 0
        self._workers = place.workers
        self._ahead: dict[int, Future[Item]] = {}

    def fill_to(self, count: int) -> None:
        """Fills slots in turn until `count` items were made in all; skips what was overwritten."""
        slots = len(self.low)
        for number in range(max(self._filled, count - slots), count):
            item = self._item(number)
            slot = number % slots
            self.low[slot] = item.low.to(self.device)
            self.wide[slot] = item.wide.to(self.device)
            self.bandwidth_hz[slot] = item.bandwidth_hz
        self._filled = max(self._filled, count)

    def _item(self, number: int) -> Item:
        """The item with that number, from the workers where there are any."""
        if self._workers is None:
            return self._made(number)
        for later in range(number, number + _AHEAD):
            if later not in self._ahead:
                self._ahead[later] = self._workers.submit(self._made, later)
        return self._ahead.pop(number).result()

    def _made(self, number: int) -> Item:
        rng = np.random.default_rng((*self._seed, number))
        sound, bandwidth_hz = self._make(rng)
        level = float(np.sqrt(np.mean(np.square(sound)))) + 1e-6
        spectra = analyse(torch.from_numpy(sound / np.float32(level)))[: self.frames]
        power = spectra.real.square() + spectra.imag.square()
        # Amplitudes, since float16 holds 80 dB of powers only.
        return Item(
            torch.view_as_real(spectra[:, : bands.SINGLE_BINS]).half(),
            wide_sums(power).sqrt().half(),
            bandwidth_hz,
        )

    def take(self, slots: Tensor, offsets: list[int]) -> tuple[Tensor, Tensor]:
        """Low spectra (n, frames, 256) complex and wide amplitudes (n, frames, 29), rolled."""
        index = torch.tensor(offsets).unsqueeze(1)
        frames = ((torch.arange(self.frames).unsqueeze(0) + index) % self.frames).to(self.device)
        rows = slots.unsqueeze(1).to(self.device)
        low = torch.view_as_complex(self.low[rows, frames].float())
        return low, self.wide[rows, frames].float()
