"""Riding the dialogue's level: a slow hand on the fader, moved ahead of time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.loudness import OFFSET_LU, Powers
from nlecompanion.treatment.gains import smoothed

#: A hand moves the fader this far at most, either way.
RIDE_DB = 4.0
#: Within this of the middle the dialogue is left as it is: people speak up and down.
_LEFT_ALONE_LU = 1.0
#: Hops of 100 ms. Short-term loudness is over 3 s (EBU Tech 3341); the hand takes about a second.
_WINDOW_HOPS = 15
_HAND_HOPS = 8
#: A window with less speech than this says nothing.
_MIN_HOPS = 5
#: So far under the loudness of all speech a hop is a breath or a pause between words.
_PAUSE_LU = 15.0
_ROUNDS = 10


def short_term_dialogue(powers: Powers, speaking: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Loudness in LUFS of the speech within the 3 s around each hop, NaN where there is none."""
    if not speaking.any():
        return np.full(powers.size, np.nan)
    gate = float(powers[speaking].mean()) * 10 ** (-_PAUSE_LU / 10)
    heard = speaking & (powers > gate)
    sums = _around(np.where(heard, powers, 0.0))
    counts = _around(heard.astype(np.float64))
    level = np.full(powers.size, np.nan)
    enough = (counts >= _MIN_HOPS - 0.5) & (sums > 0)
    level[enough] = OFFSET_LU + 10 * np.log10(sums[enough] / counts[enough])
    return level


def dialogue_spread_lu(powers: Powers, speaking: NDArray[np.bool_]) -> float | None:
    """How far 95 % of the short-term dialogue loudness lies from its median, in LU."""
    levels = short_term_dialogue(powers, speaking)[speaking]
    levels = levels[np.isfinite(levels)]
    if not levels.size:
        return None
    return float(np.quantile(np.abs(levels - np.median(levels)), 0.95))


def ride(powers: Powers, speaking: NDArray[np.bool_], most_db: float) -> NDArray[np.float64] | None:
    """Gains in dB, one a hop, within `most_db`; None where the dialogue keeps together by itself.

    The median of the short-term dialogue loudness is the middle. What lies further from it than
    1 LU is brought to 1 LU, where `most_db` reaches; pauses lead from one gain to the next.
    """
    levels = short_term_dialogue(powers, speaking)
    known = np.isfinite(levels) & speaking
    if not known.any():
        return None
    middle = float(np.median(levels[known]))
    if np.all(np.abs(levels[known] - middle) <= _LEFT_ALONE_LU):
        return None
    places = np.arange(powers.size)
    gains = np.zeros(powers.size)
    for _ in range(_ROUNDS):
        levels = short_term_dialogue(powers * 10 ** (gains / 10), speaking)
        known = np.isfinite(levels) & speaking
        away = levels[known] - middle
        excess = np.sign(away) * np.maximum(np.abs(away) - _LEFT_ALONE_LU, 0)
        wanted = np.interp(places, places[known], -excess)
        gains = np.clip(gains + smoothed(wanted, _HAND_HOPS), -most_db, most_db)
    return gains


def _around(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over the hops of 3 s around each."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    centre = np.arange(values.size)
    return np.asarray(
        sums[np.minimum(centre + _WINDOW_HOPS, values.size)]
        - sums[np.maximum(centre - _WINDOW_HOPS, 0)]
    )
