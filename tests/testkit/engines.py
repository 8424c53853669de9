"""Engines for tests: one that knows the answer, some that misbehave, and a tiny Demucs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from nlecompanion.engines.contract import Engine, EngineInfo, Geometry, Readiness
from nlecompanion.engines.guards import split_of
from nlecompanion.errors import EngineError
from nlecompanion.model import Samples, Split, Take

BLOCKS = Geometry(block_samples=96_000, context_samples=4_800, fade_samples=960)


def info(name: str) -> EngineInfo:
    """An engine's papers, for tests."""
    return EngineInfo(name, f"{name} for tests", "1", "Apache-2.0", "tests", "none")


class TestedEngine:
    """Splits by a function of the take that gives the voice."""

    __test__ = False

    def __init__(
        self, name: str, voice: Callable[[Take], Samples], geometry: Geometry = BLOCKS
    ) -> None:
        self.info = info(name)
        self.takes: list[Take] = []
        self._voice = voice
        self._geometry = geometry

    def geometry(self, rate_hz: int, channels: int) -> Geometry:
        return self._geometry

    def split(self, take: Take) -> Split:
        self.takes.append(take)
        return split_of(self._voice(take), take)


class FactoryOf:
    """Hands out one engine; put it where a factory is looked up."""

    def __init__(self, engine: Engine, merit_db: float | None = None) -> None:
        self.info = engine.info
        self.merit_db = merit_db
        self.merit_pesq: float | None = None
        self._engine = engine

    def readiness(self) -> Readiness:
        return Readiness(ready=True)

    def create(self) -> Engine:
        return self._engine

    def fetch(self) -> None:
        """Nothing to fetch."""


def oracle(pairs: Sequence[tuple[Samples, Samples]], geometry: Geometry = BLOCKS) -> TestedEngine:
    """Knows the true voice: `pairs` of (mixture, voice), whole; takes are found in the mixtures.

    A take that is silent, or found nowhere to 40 dB, is an `EngineError`, so that a test cannot
    pass by accident.
    """

    def voice(take: Take) -> Samples:
        for mixture, truth in pairs:
            at = _place(take.samples, mixture)
            if at is not None:
                return truth[at : at + len(take.samples)].copy()
        raise EngineError(f"The oracle does not know this take of {len(take.samples)} samples.")

    return TestedEngine("oracle", voice, geometry)


def _place(part: Samples, whole: Samples) -> int | None:
    if part.shape[1] != whole.shape[1] or len(part) > len(whole):
        return None
    size = 1 << (len(part) + len(whole)).bit_length()
    spectra = np.fft.rfft(whole[:, 0], size) * np.conj(np.fft.rfft(part[:, 0], size))
    at = int(np.argmax(np.fft.irfft(spectra, size)[: len(whole) - len(part) + 1]))
    missed = np.square(whole[at : at + len(part)] - part).sum()
    return at if missed < 1e-4 * np.square(part).sum() else None


def raising(error: Exception) -> TestedEngine:
    """Raises it."""

    def voice(take: Take) -> Samples:
        raise error

    return TestedEngine("raising", voice)


def not_a_number() -> TestedEngine:
    """One sample of its voice is NaN."""

    def voice(take: Take) -> Samples:
        found = take.samples.copy()
        found[len(found) // 2] = np.nan
        return found

    return TestedEngine("not-a-number", voice)


class _Odd(TestedEngine):
    """Breaks the promise that `split` makes about what it hands back."""

    def __init__(self, name: str, split: Callable[[Take], Split]) -> None:
        super().__init__(name, lambda take: take.samples)
        self._split = split

    def split(self, take: Take) -> Split:
        return self._split(take)


def wrong_shape() -> TestedEngine:
    """Hands back one sample less."""
    return _Odd(
        "wrong-shape",
        lambda take: Split(Take(take.samples[:-1], take.rate_hz), Take(take.samples, take.rate_hz)),
    )


def wrong_rate() -> TestedEngine:
    """Hands back a voice at half the rate."""
    return _Odd("wrong-rate", lambda take: Split(Take(take.samples, take.rate_hz // 2), take))


def not_summing() -> TestedEngine:
    """Voice and background are the take each."""
    return _Odd("not-summing", lambda take: Split(take, take))


class Recut:
    """An engine with another geometry."""

    def __init__(self, engine: Engine, geometry: Geometry) -> None:
        self.info = engine.info
        self._engine = engine
        self._geometry = geometry

    def geometry(self, rate_hz: int, channels: int) -> Geometry:
        return self._geometry

    def split(self, take: Take) -> Split:
        return self._engine.split(take)


#: Arguments of a Hybrid Transformer Demucs with a few thousand weights and half-second segments.
TINY_HTDEMUCS: dict[str, Any] = {
    "sources": ["drums", "bass", "other", "vocals"],
    "channels": 4,
    "growth": 1,
    "nfft": 1024,
    "depth": 4,
    "t_layers": 1,
    "t_heads": 2,
    "bottom_channels": 8,
    "t_hidden_scale": 1.0,
    "dconv_depth": 1,
    "dconv_comp": 2,
    "segment": Fraction(1, 2),
}


def tiny_htdemucs(seed: int = 0) -> Any:
    """A Demucs of random weights."""
    import torch
    from demucs.htdemucs import HTDemucs

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return HTDemucs(**TINY_HTDEMUCS).eval()


def write_demucs_bag(folder: Path, bag: str = "htdemucs_ft", seeds: Sequence[int] = (0,)) -> Path:
    """Tiny models on disk as demucs' Hugging Face loader reads them; the last one sings."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    kwargs = dict(TINY_HTDEMUCS, segment={"_type": "fraction", "numerator": 1, "denominator": 2})
    metadata = {
        "klass": "demucs.htdemucs.HTDemucs",
        "args": "[]",
        "kwargs": json.dumps(kwargs),
    }
    names = [f"{seed:08x}" for seed in seeds]
    for seed, name in zip(seeds, names, strict=True):
        state = {key: value.contiguous() for key, value in tiny_htdemucs(seed).state_dict().items()}
        save_file(state, str(folder / f"{name}.safetensors"), metadata)
    rows = [[1.0, 1.0, 1.0, float(name == names[-1])] for name in names]
    (folder / f"{bag}.yaml").write_text(f"models: {names!r}\nweights: {rows!r}\n", "utf-8")
    return folder


class SingingModel:
    """Stands where a Demucs model does: its vocals are the mix, unchanged."""

    def __init__(self, segment_s: Fraction = Fraction(1, 2)) -> None:
        self.sources = list(TINY_HTDEMUCS["sources"])
        self.samplerate = 44_100
        self.audio_channels = 2
        self.segment = segment_s
        self.shapes: list[tuple[int, ...]] = []

    def to(self, device: object) -> SingingModel:
        return self

    def eval(self) -> SingingModel:
        return self

    def __call__(self, mix: Any) -> Any:
        self.shapes.append(tuple(mix.shape))
        import torch

        return torch.stack([torch.zeros_like(mix)] * 3 + [mix], dim=1)
