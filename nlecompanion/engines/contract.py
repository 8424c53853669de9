"""What an engine promises.

How to add an engine, in four steps:

1. Write a class with `info`, `geometry` and `split`. `split` gets at most one block with its
   context and gives back voice and background of the same shape, which sum to the take.
2. Write its factory: `info`, `merit_db`, `merit_pesq`, `readiness` (cheap, offline, imports
   nothing heavy), `create` (may load weights).
3. Register the factory under the entry point group `nlecompanion.engines`.
4. Add it to the contract suite in `tests/engines/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from nlecompanion.model import Split, Take


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What a person must know before using an engine. `licence_notice` is shown before a fetch."""

    name: str
    title: str
    version: str
    licence: str
    source: str
    weights: str
    licence_notice: str = ""


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a long region is cut for an engine, in samples.

    Blocks begin at multiples of `block_samples` from the region's start. An engine is given
    `context_samples` more on either side where there are any. Neighbouring blocks' voices are
    crossfaded over `fade_samples` (at most `context_samples`).
    """

    block_samples: int
    context_samples: int
    fade_samples: int


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether an engine can run now, offline; if not, `fix` is the next move."""

    ready: bool
    fix: str = ""


class Engine(Protocol):
    """Splits takes. Deterministic: the same take gives the same split, bit for bit."""

    @property
    def info(self) -> EngineInfo:
        """Name, version, licence."""

    def geometry(self, rate_hz: int, channels: int) -> Geometry:
        """How to cut regions of this form."""

    def split(self, take: Take) -> Split:
        """Voice and background of a take: same shape, same rate, zero delay.

        Silence gives silence. Mono stays mono; a stereo image does not move.

        Raises:
            EngineError: NaN or infinite samples, or weights that cannot be loaded.
        """


class EngineFactory(Protocol):
    """Finds out cheaply whether an engine can run, and makes it."""

    @property
    def info(self) -> EngineInfo:
        """Name, version, licence."""

    @property
    def merit_db(self) -> float | None:
        """Mean SI-SDR improvement on the separation benchmark; None: never chosen by itself."""

    @property
    def merit_pesq(self) -> float | None:
        """Mean PESQ (wide band) on the same mixtures; None: not measured."""

    def readiness(self) -> Readiness:
        """Whether `create` would work now, without the network."""

    def create(self) -> Engine:
        """Loads what the engine needs.

        Raises:
            WeightsMissing: with the command that fetches them.
        """

    def fetch(self) -> None:
        """Fetches the weights over the network; a no-op where there are none.

        Raises:
            EngineError: the fetch failed; nothing is left half-fetched.
        """
