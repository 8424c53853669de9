"""How readable a voice is at any intensity: the speech intelligibility index over time.

The index of ANSI S3.5-1997 (`sii.py`) in the extended, short-time form of Rhebergen and Versfeld
(J. Acoust. Soc. Am. 117, 2181, 2005): the voice's long-term spectrum against the background of
each frame, averaged over the frames with speech. Simplified in one point: one window with an
effective duration of 22 ms serves all bands, where they use 35 ms in the lowest and 9.4 ms in the
highest band.

Quiet syllables and word endings are told apart from the mean by the frame's own spectrum of the
voice against its background, as Kates and Arehart (2005) do for low-level frames.

The voice is presented at normal vocal effort (62.35 dB SPL over all bands), whatever the level of
the recording is: a gain changes nothing.

Leakage is background that no intensity lowers. In the gaps, where nobody speaks, the voice
estimate is all leakage; each band's ratio to the background estimate there is laid on the
background under speech. So the disturbance at an intensity is what the mix would hold without the
voice: `|leak + g * background|²`, the part that moves with the background added as amplitude.

Under speech a split lets more pass than in gaps. For a mask m on a mixture x of voice m·x and
noise (1 - m)·x in power, which is Wiener's, the mix at gain g differs from the true voice by
m(1 - m)|x|² + g²(1 - m)²|x|²: the product of both estimates, and the background turned down. So
their product says what a split gets wrong, and is background that no intensity lowers, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlecompanion.treatment.sii import (
    BANDS,
    CENTRES_HZ,
    EDGES_HZ,
    IMPORTANCE,
    NORMAL_LEVEL_DB,
    sii,
)
from nlecompanion.treatment.spectra import HOP_S, Mask, Powers, WindowSpectra, presence_gains
from nlecompanion.units import gain_from_db

Bands = NDArray[np.float64]

#: Fewer frames with speech cannot be judged, fewer in gaps cannot show the leakage.
MIN_SPEECH_FRAMES = 20
MIN_GAP_FRAMES = 20
#: Assumed where it cannot be measured: a middling split's.
ASSUMED_LEAKAGE_DB = -20.0
#: A voice estimate that far above the background in gaps is no estimate: it counts as steady.
_MOST_LEAKAGE = 4.0
QUIET_SHARE = 0.2
#: Of the gaps' frames, these are held to be leakage; the loudest rest may be voice.
LEAK_SHARE = 0.8
#: A word ends where the voice has fallen by 6 to 30 dB within 150 ms and does not rise again.
ENDING_S = 0.15
_FALL_DB = (6.0, 30.0)
_NOTHING = 1e-20
#: Share of the rectified products that counts as error, calibrated against true errors.
ERROR_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Readability:
    """The index (0 to 1) of a window at an intensity; None where there was nothing to measure.

    `mean` over all frames with speech, `quietest_fifth` over the fifth of them with the weakest
    voice, `word_endings` over the last moments of words. `leakage_db` is the voice estimate's
    level over the background estimate's in gaps, None where it was assumed. `reason` says why a
    value is missing or assumed.
    """

    intensity_db: float
    mean: float | None
    quietest_fifth: float | None
    word_endings: float | None
    leakage_db: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class VoiceBands:
    """A window in the 18 bands of the index, frames with speech only; made once.

    `voice`, `background`: powers (frames, 18); `error`: their products' positive parts. `leak` and
    `leak_cross` (18,): the voice estimate's power in gaps over the background's, and their
    product's; `steady_leak` (18,) counts instead where the background estimate holds nothing.
    `long_term_db` and `offset_db` bring powers to spectrum levels at the presentation level.
    """

    voice: Bands
    background: Bands
    error: Bands
    leak: Bands
    leak_cross: Bands
    steady_leak: Bands
    quiet: Mask
    endings: Mask
    long_term_db: Bands
    offset_db: Bands
    leakage_db: float | None
    reason: str


def voice_bands(spectra: WindowSpectra) -> VoiceBands:
    """What readability at any intensity is found from."""
    speech = spectra.speech
    voice = band_powers(spectra, spectra.voice)
    background = band_powers(spectra, spectra.background)
    error = _split_error(spectra)
    leak, leak_cross, steady, leakage_db, reason = _leakage(spectra, voice, background)
    floor = np.maximum(leak * background, steady)
    # What leaks is not voice; but never so much that the voice would vanish where it is weak.
    clean = np.maximum(voice - floor, 0.01 * voice)[speech]
    # Over the long term what the mask took from the voice is put back to it.
    taken = np.maximum(error - leak_cross * background, 0)
    whole = np.maximum(voice + taken - floor, 0.01 * voice)[speech]
    if len(clean) < MIN_SPEECH_FRAMES or clean.sum() <= _NOTHING:
        reason = _too_little(len(clean))
        clean = clean[:0]
    long_term = whole.mean(axis=0) if len(clean) else np.zeros(BANDS)
    total = max(float(long_term.sum()), _NOTHING)
    # Spectrum level: over the width in Hz of the bins that make up the band.
    offset_db = NORMAL_LEVEL_DB - 10 * np.log10(total) - 10 * np.log10(_widths_hz(spectra))
    loudness = (clean * (IMPORTANCE / _widths_hz(spectra))).sum(axis=1)
    return VoiceBands(
        voice=clean,
        background=background[speech][: len(clean)],
        error=error[speech][: len(clean)],
        leak=leak,
        leak_cross=leak_cross,
        steady_leak=steady,
        quiet=_quietest(loudness),
        endings=_endings(loudness, speech)[: len(clean)] if len(clean) else np.zeros(0, dtype=bool),
        long_term_db=_db(long_term) + offset_db,
        offset_db=offset_db,
        leakage_db=leakage_db,
        reason=reason,
    )


def readability(bands: VoiceBands, intensity_db: float, presence_db: float = 0.0) -> Readability:
    """The index at an intensity. More intensity never lowers it, leakage ends its rise."""
    if not len(bands.voice):
        return Readability(intensity_db, None, None, None, bands.leakage_db, bands.reason)
    gain = gain_from_db(-intensity_db)
    share = np.maximum(bands.leak + 2 * gain * bands.leak_cross + gain * gain, 0.0)
    lift_db = 10 * np.log10(presence_gains(CENTRES_HZ, presence_db))
    offset_db = bands.offset_db + lift_db
    gaps = share * bands.background + bands.steady_leak
    under_speech = ERROR_SHARE * bands.error + gain * gain * bands.background
    noise_db = _db(np.maximum(gaps, under_speech)) + offset_db
    means = sii(bands.long_term_db + lift_db, noise_db)
    hard = bands.quiet | bands.endings
    own = np.zeros(len(bands.voice))
    own[hard] = sii(_db(bands.voice[hard]) + offset_db, noise_db[hard])
    return Readability(
        intensity_db,
        float(means.mean()),
        float(own[bands.quiet].mean()) if bands.quiet.any() else None,
        float(own[bands.endings].mean()) if bands.endings.any() else None,
        bands.leakage_db,
        bands.reason,
    )


def band_powers(spectra: WindowSpectra, powers: Powers) -> Bands:
    """Sums of bins: (frames, bins) to (frames, 18). Bands above the highest bin hold nothing."""
    edges = _edges(spectra)
    summed = np.zeros((len(powers), BANDS))
    for band in range(BANDS):
        columns = powers[:, edges[band] : edges[band + 1]]
        if columns.size:
            summed[:, band] = columns.sum(axis=1, dtype=np.float64)
    return summed


def _edges(spectra: WindowSpectra) -> NDArray[np.intp]:
    return np.round(EDGES_HZ / spectra.bin_hz).astype(np.intp)


def _widths_hz(spectra: WindowSpectra) -> Bands:
    widths: Bands = np.maximum(np.diff(_edges(spectra)), 1) * spectra.bin_hz
    return widths


def _leakage(
    spectra: WindowSpectra, voice: Bands, background: Bands
) -> tuple[Bands, Bands, Bands, float | None, str]:
    """Per band: proportional leakage, its coherent part, steady leakage; overall dB; a reason."""
    gap = spectra.gap
    nothing = np.zeros(BANDS)
    assumed = np.full(BANDS, 10 ** (ASSUMED_LEAKAGE_DB / 10))
    if gap.sum() < MIN_GAP_FRAMES:
        reason = (
            f"only {gap.sum() * HOP_S:.2f} s without speech; leakage is taken as "
            f"{ASSUMED_LEAKAGE_DB:g} dB"
        )
        return assumed, nothing, nothing, None, reason
    # Without the loudest frames of the voice estimate: a breath, a word that the detector missed
    # or the room's ring in a gap is not what leaks all the time.
    order = np.argsort(voice[gap].sum(axis=1), kind="stable")
    kept = np.flatnonzero(gap)[order[: max(1, round(LEAK_SHARE * len(order)))]]
    leaked, under = voice[kept].mean(axis=0), background[kept].mean(axis=0)
    cross = band_cross(spectra)[kept].mean(axis=0)
    if leaked.sum() + under.sum() <= _NOTHING:
        return nothing, nothing, nothing, None, "the gaps are silent"
    ratio = leaked / np.maximum(under, _NOTHING)
    proportional = ratio <= _MOST_LEAKAGE
    leak = np.where(proportional, ratio, 0.0)
    # Products of unrelated sounds scatter about zero; none can exceed both amplitudes' product.
    coherent = np.where(proportional, cross / np.maximum(under, _NOTHING), 0.0)
    coherent = np.clip(coherent, 0.0, np.sqrt(leak))
    total_db = float(_db(np.array([leaked.sum()]))[0] - _db(np.array([under.sum()]))[0])
    return leak, coherent, np.where(proportional, 0.0, leaked), min(total_db, 60.0), ""


def _split_error(spectra: WindowSpectra) -> Bands:
    """Products of the estimates where a mask made them: (frames, 18).

    A mask's products are all positive; those of unrelated sounds scatter about zero. The net sum
    over the sum of magnitudes, a band, tells how much of the positive ones is the split's doing.
    """
    cross = spectra.cross
    positive, net = band_powers(spectra, np.maximum(cross, 0)), band_cross(spectra)
    speech = spectra.speech
    total = (2 * positive - net)[speech].sum(axis=0)  # the sum of magnitudes
    share = np.maximum(net[speech].sum(axis=0), 0) / np.maximum(total, _NOTHING)
    error: Bands = positive * share
    return error


def band_cross(spectra: WindowSpectra) -> Bands:
    """Real parts of the products of voice and background, (frames, 18)."""
    return band_powers(spectra, spectra.cross)


def _too_little(frames: int) -> str:
    if frames < MIN_SPEECH_FRAMES:
        return (
            f"only {frames * HOP_S:.2f} s of speech; readability needs "
            f"{MIN_SPEECH_FRAMES * HOP_S:.1f} s"
        )
    return "the voice estimate is silent"


def _quietest(loudness: NDArray[np.float64]) -> Mask:
    quiet = np.zeros(len(loudness), dtype=bool)
    count = max(1, round(QUIET_SHARE * len(loudness)))
    quiet[np.argsort(loudness, kind="stable")[:count]] = len(loudness) > 0
    return quiet


def _endings(loudness: NDArray[np.float64], speech: Mask) -> Mask:
    """Among the frames with speech, those in which a word dies away."""
    from scipy.ndimage import maximum_filter1d

    level_db = np.full(len(speech), -200.0)
    level_db[speech] = _db(loudness)
    reach = round(ENDING_S / HOP_S)
    # Origins shift the filters: the loudest of the frames before, and of the 50 ms after.
    before = maximum_filter1d(level_db, reach, origin=(reach - 1) // 2)
    after = maximum_filter1d(level_db, 5, origin=-2)
    fallen = before - level_db
    dying = (fallen >= _FALL_DB[0]) & (fallen <= _FALL_DB[1]) & (after <= level_db + 1)
    ending: Mask = dying[speech]
    return ending


def _db(powers: NDArray[np.float64]) -> NDArray[np.float64]:
    return 10 * np.log10(np.maximum(powers, _NOTHING))
