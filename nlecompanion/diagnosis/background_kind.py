"""What lies behind the voice: music, steady noise, single events, or babble, and how sure that is.

Twenty figures of eight seconds (how tonal, how steady, how its loudness moves) go through a
network of ten units. It was fitted on openly licensed music, noises, and babble mixed from
speakers, with and without a voice's residue; none of them is among the recordings that the tests
judge it by.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.background_weights import HIDDEN, HIDDEN_BIAS, KINDS, KINDS_BIAS
from nlecompanion.diagnosis.bands import BandLevels, as_db, gap_hops
from nlecompanion.diagnosis.tones import Tones
from nlecompanion.model import Span

#: Seconds that are judged together; shorter sound down to `MIN_S` is judged as it is.
PIECE_S = 8.0
MIN_S = 1.5
#: Quieter than this, nothing is there that anybody would hear behind a voice.
QUIET_DBFS = -80.0
#: Hops this far under the loudest twentieth say nothing about tones.
_HEARD_DB = 30.0
#: Modulation bands in Hz: slow swells, syllables, roughness.
_MODULATIONS_HZ = ((0.4, 2.0), (2.0, 8.0), (8.0, 20.0))
#: The octaves around 500 Hz to 4 kHz, where talk has its syllables.
_TALK_OCTAVES = slice(2, 6)


class Kind(StrEnum):
    """What a background consists of, in the order of the weights."""

    MUSIC = "music"
    STEADY = "steady noise"
    EVENTS = "events"
    BABBLE = "babble"


@dataclass(frozen=True, slots=True)
class BackgroundKind:
    """The likeliest kind and its probability; all kinds' shares, which sum to 1."""

    kind: Kind
    sureness: float
    music_share: float
    steady_share: float
    events_share: float
    babble_share: float


def background_kind(bands: BandLevels, tones: Tones) -> BackgroundKind | None:
    """From the background estimate, or from the mixture's gaps alone set one after another.

    Pieces of 8 s are judged by themselves and averaged, the louder ones with more weight.
    None where there are under 1.5 s of sound above -80 dBFS.
    """
    levels = bands.broad
    if levels.size * bands.hop_s < MIN_S or tones.power.size * tones.hop_s < MIN_S:
        return None
    if not as_db(np.array([levels.mean()]))[0] > QUIET_DBFS:
        return None
    length_s = min(levels.size * bands.hop_s, tones.power.size * tones.hop_s)
    pieces = max(1, round(length_s / PIECE_S))
    shares, weights = [], []
    for piece in range(pieces):
        cut = _piece(bands, tones, length_s * piece / pieces, length_s * (piece + 1) / pieces)
        level_db = float(as_db(np.array([cut[0].broad.mean()]))[0])
        if level_db > QUIET_DBFS:
            shares.append(_probabilities(features(*cut)))
            weights.append(10 ** (level_db / 20))
    if not shares:
        return None
    mean = np.average(np.array(shares), axis=0, weights=np.array(weights))
    music, steady, events, babble = (float(share) for share in mean)
    best = int(np.argmax(mean))
    return BackgroundKind(tuple(Kind)[best], float(mean[best]), music, steady, events, babble)


def _piece(
    bands: BandLevels, tones: Tones, start_s: float, end_s: float
) -> tuple[BandLevels, Tones]:
    own = slice(int(start_s / bands.hop_s), int(end_s / bands.hop_s))
    cut = slice(int(start_s / tones.hop_s), int(end_s / tones.hop_s))
    return BandLevels(bands.hop_s, bands.powers[own]), tones.at(cut)


def in_gaps(bands: BandLevels, tones: Tones, speech: tuple[Span, ...]) -> tuple[BandLevels, Tones]:
    """The hops of the mixture in which nobody speaks, set one after another."""
    own = gap_hops(speech, len(bands.powers), bands.hop_s)
    cut = gap_hops(speech, len(tones.power), tones.hop_s)
    return BandLevels(bands.hop_s, bands.powers[own]), tones.at(cut)


def features(bands: BandLevels, tones: Tones) -> NDArray[np.float64]:
    """The twenty figures, float64; the weights' order."""
    heard = tones.power >= np.percentile(tones.power, 95) * 10 ** (-_HEARD_DB / 10)
    held, long_held = tones.held[heard], tones.long_held[heard]
    flat_db = as_db(tones.flatness[heard])
    level_db = as_db(bands.broad)
    low, middle, high = (float(v) for v in np.percentile(level_db, (10, 50, 95)))
    octave_db = as_db(bands.powers.mean(axis=0))
    return np.array(
        [
            float(np.median(held)),
            float(np.percentile(held, 80)),
            float(np.median(long_held)),
            float(np.percentile(long_held, 80)),
            float(np.average(long_held, weights=np.sqrt(tones.power[heard]) + 1e-9)),
            float(np.log1p(np.percentile(tones.partials[heard], 80))),
            float(np.median(flat_db)),
            float(np.std(flat_db)),
            min(high - middle, 30.0),
            min(middle - low, 30.0),
            *_modulations_db(bands),
            *(float(v) for v in np.percentile(tones.voicing[heard], (20, 50, 80))),
            *_bursts_db(bands),
            _change_db(bands),
            float(octave_db[3:5].mean() - octave_db[:2].mean()),
        ]
    )


def _modulations_db(bands: BandLevels) -> list[float]:
    """How much the talk octaves' envelopes move at each rate, against their means, in dB."""
    envelope = np.sqrt(bands.powers[:, _TALK_OCTAVES].astype(np.float64))
    envelope /= envelope.mean(axis=0) + 1e-9
    envelope -= envelope.mean(axis=0)
    length = len(envelope)
    power = (np.abs(np.fft.rfft(envelope, axis=0)) ** 2).mean(axis=1) * 2 / length**2
    at_hz = np.fft.rfftfreq(length, bands.hop_s)
    return [
        10 * np.log10(float(power[(at_hz >= low) & (at_hz < high)].sum()) + 1e-4)
        for low, high in _MODULATIONS_HZ
    ]


def _bursts_db(bands: BandLevels) -> tuple[float, float]:
    """How far short hops rise over the median of a second around, and fall under it."""
    from scipy.ndimage import median_filter

    level_db = as_db(bands.powers[:, 1:7])
    size = round(1.0 / bands.hop_s) | 1
    rise_db = level_db - median_filter(level_db, (size, 1), mode="nearest")
    high, low = np.percentile(rise_db, (97, 10), axis=0)
    return float(np.minimum(high, 30.0).mean()), float(np.maximum(low, -30.0).mean())


def _change_db(bands: BandLevels) -> float:
    """How far the octaves' balance wanders from half second to half second."""
    step = max(1, round(0.5 / bands.hop_s))
    count = max(1, len(bands.powers) // step)
    slow = bands.powers[: count * step].reshape(count, -1, bands.powers.shape[1]).mean(axis=1)
    shape_db = as_db(slow[:, 1:7])
    shape_db -= shape_db.mean(axis=1, keepdims=True)
    return float(np.minimum(shape_db.std(axis=0), 15.0).mean())


def _probabilities(figures: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two layers: tanh, then softmax."""
    hidden = np.tanh(np.array(HIDDEN) @ figures + np.array(HIDDEN_BIAS))
    scores = np.array(KINDS) @ hidden + np.array(KINDS_BIAS)
    odds = np.exp(scores - scores.max())
    shares: NDArray[np.float64] = odds / odds.sum()
    return shares
