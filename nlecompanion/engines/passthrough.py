"""An engine that takes everything for voice: for tests, and to see the path without an engine."""

from __future__ import annotations

import numpy as np

from nlecompanion.engines.contract import EngineInfo, Geometry, Readiness
from nlecompanion.engines.guards import require_finite
from nlecompanion.model import Split, Take

INFO = EngineInfo(
    name="passthrough",
    title="Leaves the sound as it is",
    version="1",
    licence="Apache-2.0",
    source="nlecompanion",
    weights="none",
)


class Passthrough:
    """voice = take, background = silence."""

    info = INFO

    def geometry(self, rate_hz: int, channels: int) -> Geometry:  # noqa: ARG002
        """Any cut would do; half a minute keeps blocks small."""
        return Geometry(block_samples=30 * rate_hz, context_samples=0, fade_samples=0)

    def split(self, take: Take) -> Split:
        """The take itself and silence."""
        require_finite(take.samples, take.rate_hz)
        return Split(take, Take(np.zeros_like(take.samples), take.rate_hz))


class PassthroughFactory:
    """Always ready, never chosen by itself."""

    info = INFO
    merit_db: float | None = None
    merit_pesq: float | None = None

    def readiness(self) -> Readiness:
        """Always ready."""
        return Readiness(ready=True)

    def create(self) -> Passthrough:
        """A new one."""
        return Passthrough()

    def fetch(self) -> None:
        """Nothing to fetch."""


FACTORY = PassthroughFactory()
