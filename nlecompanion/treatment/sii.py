"""The speech intelligibility index of ANSI S3.5-1997, one-third octave band method.

Levels are spectrum levels in dB SPL (mean square pressure in a band over its width in Hz, re
(20 µPa)² / Hz). Arrays may have any leading shape; the last axis is the 18 bands.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.float64]

# ANSI S3.5-1997, Table 3: centre frequencies, importance of average speech, speech spectrum of
# normal vocal effort, and the reference internal noise (the threshold of hearing).
CENTRES_HZ: Levels = np.array(
    [160, 200, 250, 315, 400, 500, 630, 800, 1000, 1250, 1600, 2000, 2500, 3150, 4000, 5000, 6300,
     8000], dtype=np.float64
)  # fmt: skip
EDGES_HZ: Levels = np.array(
    [141, 178, 224, 282, 355, 447, 562, 708, 891, 1122, 1413, 1778, 2239, 2818, 3548, 4467, 5623,
     7079, 8913], dtype=np.float64
)  # fmt: skip
IMPORTANCE: Levels = np.array(
    [0.0083, 0.0095, 0.0150, 0.0289, 0.0440, 0.0578, 0.0653, 0.0711, 0.0818, 0.0844, 0.0882,
     0.0898, 0.0868, 0.0844, 0.0771, 0.0527, 0.0364, 0.0185]
)  # fmt: skip
NORMAL_SPEECH_DB: Levels = np.array(
    [32.41, 34.48, 34.75, 33.98, 34.59, 34.27, 32.06, 28.30, 25.01, 23.00, 20.15, 17.32, 13.18,
     11.55, 9.33, 5.31, 2.59, 1.13]
)  # fmt: skip
INTERNAL_NOISE_DB: Levels = np.array(
    [0.6, -1.7, -3.9, -6.1, -8.2, -9.7, -10.8, -11.9, -12.5, -13.5, -15.4, -17.7, -21.2, -24.2,
     -25.9, -23.6, -15.8, -7.1]
)  # fmt: skip
#: Overall level of the normal speech spectrum, dB SPL (foot of Table 3).
NORMAL_LEVEL_DB = 62.35
BANDS = len(CENTRES_HZ)

#: Clauses 4.3.2.4 and 4.3.4: a third of an octave at F is 10·log10(F) - 6.353 dB wide.
_BANDWIDTH_DB = 10 * np.log10(CENTRES_HZ) - 6.353
# Clause 4.3.2.5: what a masker at F_k does at F_i, by 3.32·C_k·log10(0.89·F_i / F_k).
_SPREAD = 3.32 * np.log10(0.89 * CENTRES_HZ[:, None] / CENTRES_HZ[None, :])
_BELOW = np.tril(np.ones((BANDS, BANDS), dtype=bool), -1)


def sii(
    speech_db: Levels,
    noise_db: Levels,
    threshold_db: Levels | float = 0.0,
) -> NDArray[np.float64]:
    """The index, 0 to 1, of equivalent speech and noise spectrum levels (S3.5, clause 4).

    `threshold_db` is the hearing threshold level, dB HL. With no noise pass very low levels.
    """
    # 4.2 to 4.4: a voice masks itself 24 dB down; each masker also masks the bands above it.
    masker_db = np.maximum(noise_db, speech_db - 24)
    slope = -80 + 0.6 * (masker_db + _BANDWIDTH_DB)
    spread_db = masker_db[..., None, :] + slope[..., None, :] * _SPREAD
    spread = np.where(_BELOW, 10 ** (np.minimum(spread_db, 200.0) / 10), 0.0).sum(axis=-1)
    masking_db = 10 * np.log10(10 ** (noise_db / 10) + spread)
    masking_db[..., 0] = masker_db[..., 0]
    # 4.5, 4.6: the disturbance is the masking or the threshold of hearing.
    disturbance_db = np.maximum(masking_db, INTERNAL_NOISE_DB + threshold_db)
    # 4.7, 4.8: level distortion above normal speech by 10 dB, and audibility over 30 dB.
    distortion = np.minimum(1.0, 1 - (speech_db - NORMAL_SPEECH_DB - 10) / 160)
    audible = np.clip((speech_db - disturbance_db + 15) / 30, 0, 1)
    index: NDArray[np.float64] = (distortion * audible * IMPORTANCE).sum(axis=-1)
    return index
