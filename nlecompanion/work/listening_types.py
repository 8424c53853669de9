"""What is prepared for listening to a use: settings, rungs, files, and how they are mixed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nlecompanion.model import Samples
from nlecompanion.work.target import BLOCK_SAMPLES

if TYPE_CHECKING:
    from nlecompanion.settings import Profile


@dataclass(frozen=True, slots=True)
class Setting:
    """What is on, beside the intensity."""

    de_echo: bool
    room_tone: bool

    @property
    def key(self) -> str:
        """Its name among the others."""
        return f"echo-{'off' if self.de_echo else 'left'}-tone-{'on' if self.room_tone else 'off'}"

    def of(self, profile: Profile, intensity_db: float | None) -> Profile:
        """The profile of a delivery with this setting."""
        return replace(
            profile, de_echo=self.de_echo, room_tone=self.room_tone, intensity_db=intensity_db
        )


SETTINGS = tuple(Setting(*each) for each in itertools.product((True, False), repeat=2))


@dataclass(frozen=True, slots=True)
class Rung:
    """One intensity of one setting: names of files, linear gains.

    `presence_db` is what the ladder asks for there. `tone` and `ride` are None where there is none;
    `limited_s` is for how long the render would turn peaks down; `de_echo_on` whether echo is taken
    off indeed.
    """

    intensity_db: float
    presence_db: float
    voice: str
    background: str
    tone: str | None
    background_gain: float
    tone_gain: float
    level_gain: float
    ride: str | None
    de_echo_on: bool
    limited_s: float


@dataclass(frozen=True, slots=True)
class Listening:
    """All that the page needs; times in seconds from the stems' first sample.

    `offset_samples`: where that lies after the region's first. `moment` is the hardest of the use,
    `use` where the use itself lies, `cut` whether it is longer than what is here.
    """

    rate_hz: int
    channels: int
    length_samples: int
    offset_samples: int
    cut: bool
    moment: tuple[float, float]
    use: tuple[float, float]
    speech: tuple[tuple[float, float], ...]
    original: str
    settings: tuple[Setting, ...]
    rungs: dict[str, tuple[Rung, ...]]

    def values(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Listening:
        """What `values` gave, as it comes back from JSON."""
        known = {field.name: values[field.name] for field in fields(cls)}
        known["settings"] = tuple(Setting(**setting) for setting in known["settings"])
        known["rungs"] = {
            key: tuple(Rung(**rung) for rung in each) for key, each in known["rungs"].items()
        }
        return cls(**known)

    def rung(self, setting: Setting, intensity_db: float) -> Rung:
        """The one of that setting and intensity, which must be there."""
        return next(r for r in self.rungs[setting.key] if r.intensity_db == intensity_db)


@dataclass(frozen=True, slots=True, eq=False)
class Mixed:
    """A block of a rung's mix: `dry` is voice and background at their level, before riding."""

    dry: Samples
    tone: Samples


def mixed(rung: Rung, folder: Path) -> Iterator[Mixed]:
    """The rung's files mixed by the formula, block by block; riding is left to the caller."""
    import soundfile

    names = [rung.voice, rung.background, *([rung.tone] if rung.tone else [])]
    streams = [
        soundfile.blocks(folder / name, BLOCK_SAMPLES, dtype="float32", always_2d=True)
        for name in names
    ]
    level, turned = np.float32(rung.level_gain), np.float32(rung.background_gain)
    for voice, background, *tone in zip(*streams, strict=True):
        dry = level * (voice + turned * background)
        yield Mixed(dry, np.float32(rung.tone_gain) * tone[0] if tone else np.zeros_like(dry))
