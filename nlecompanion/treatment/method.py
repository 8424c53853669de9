"""Which kind of treatment a clip needs, decided in the open."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Method(StrEnum):
    """The three ways to treat a clip."""

    LIGHT = "light clean-up"
    SEPARATE = "separation"
    HOSTILE = "best effort"


@dataclass(frozen=True, slots=True)
class Route:
    """The method, and why, in words and numbers."""

    method: Method
    reasons: tuple[str, ...]


def choose_method(
    sbr_db: float | None, *, light_sbr_db: float = 15.0, hostile_sbr_db: float = -3.0
) -> Route:
    """By the ratio of speech to background, measured over frames with speech.

    Well above the background a model has little to win and a voice to lose; far below it the
    result is the best that can be done, and a person must judge it. None, where nobody is heard
    in the mixture or in the voice that a split finds in it, is as far below as it gets.
    """
    if sbr_db is None:
        return Route(
            Method.HOSTILE,
            ("nobody is heard above the background; only a best effort is possible",),
        )
    told = f"speech stands {sbr_db:.1f} dB above its background"
    if sbr_db < 0:
        told = f"speech lies {-sbr_db:.1f} dB below its background"
    if sbr_db >= light_sbr_db:
        return Route(
            Method.LIGHT, (f"{told}; from {light_sbr_db:g} dB on light clean-up is enough",)
        )
    if sbr_db < hostile_sbr_db:
        return Route(
            Method.HOSTILE, (f"{told}; under {hostile_sbr_db:g} dB only a best effort is possible",)
        )
    return Route(
        Method.SEPARATE,
        (f"{told}; between {hostile_sbr_db:g} and {light_sbr_db:g} dB it is separated",),
    )
