"""What every engine checks before it works, and every caller after it."""

from __future__ import annotations

import numpy as np

from nlecompanion.errors import EngineError
from nlecompanion.model import Samples, Split, Take

#: voice + background may miss the take by this much; relative above full scale.
SUM_TOLERANCE = 1e-6
#: 120 dB above full scale: whatever lies there is damage, not sound.
PEAK_LIMIT = 1e6


def require_finite(samples: Samples, rate_hz: int, first_sample: int = 0) -> None:
    """Refuses samples that are NaN, infinite or absurdly large (over `PEAK_LIMIT`).

    `first_sample` is where the samples begin, for the message.

    Raises:
        EngineError: names the first bad position.
    """
    # NaN is neither, and is passed on by both; neither needs memory of its own.
    if not samples.size or (samples.max() <= PEAK_LIMIT and samples.min() >= -PEAK_LIMIT):
        return
    sound = np.abs(samples) <= PEAK_LIMIT
    row, channel = (int(index) for index in np.argwhere(~sound)[0])
    position = first_sample + row
    raise EngineError(
        f"The sound holds {samples[row, channel]} at sample {position} "
        f"({position / rate_hz:.3f} s), channel {channel + 1}. "
        f"Export the media again, or leave this clip out."
    )


def require_kept_promise(name: str, take: Take, split: Split, first_sample: int = 0) -> None:
    """Checks that an engine's split fits its take: shape, rate, finite, the sum.

    Raises:
        EngineError: says which promise was broken.
    """
    for part, estimate in (("voice", split.voice), ("background", split.background)):
        if estimate.samples.shape != take.samples.shape:
            raise _broken(
                name, f"gave a {part} of shape {estimate.samples.shape} for {take.samples.shape}"
            )
        if estimate.rate_hz != take.rate_hz:
            raise _broken(name, f"gave a {part} at {estimate.rate_hz} Hz for {take.rate_hz} Hz")
    if not take.samples.size:
        return
    with np.errstate(invalid="ignore", over="ignore"):
        off = split.voice.samples + split.background.samples
        off -= take.samples
    # What is not a number shows in the sum.
    missed = float(max(off.max(), -off.min()))
    # float32 keeps 24 bits: above full scale its own rounding is larger than the tolerance.
    if missed <= SUM_TOLERANCE:
        return
    for part, estimate in (("voice", split.voice), ("background", split.background)):
        finite = np.isfinite(estimate.samples)
        if not finite.all():
            position = first_sample + int(np.argmin(finite.all(axis=1)))
            raise _broken(
                name,
                f"gave a {part} that is not a number at sample {position} "
                f"({position / take.rate_hz:.3f} s)",
            )
    if missed > SUM_TOLERANCE * max(1.0, float(np.abs(take.samples).max())):
        raise _broken(name, f"gave a voice and a background that miss the sound by {missed:.1e}")


def _broken(name: str, what: str) -> EngineError:
    return EngineError(f"The engine {name!r} {what}. Use another engine and report this one.")


def split_of(voice: Samples, take: Take) -> Split:
    """The split with this voice; the background is what it leaves of the take."""
    return Split(Take(voice, take.rate_hz), Take(take.samples - voice, take.rate_hz))
