"""What happens to sound on its way to an editor: limiters, clipping, lossy codecs."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from nlecompanion.model import Samples

_RELEASE_S = 0.1
_LOOKAHEAD_S = 0.002


def limited(sound: Samples, rate_hz: int, drive_db: float) -> Samples:
    """Raised by `drive_db` over full scale and held there by a look-ahead limiter, then lowered.

    Peaks end at the loudest peak that the sound had, the level comes up: what mastering does.
    """
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    ceiling = float(np.abs(sound).max())
    if ceiling == 0:
        return sound
    driven = sound * np.float32(10 ** (drive_db / 20))
    look = max(1, int(_LOOKAHEAD_S * rate_hz))
    peaks = maximum_filter1d(np.abs(driven).max(axis=1), 2 * look + 1)
    over_db = 20 * np.log10(np.maximum(peaks / ceiling, 1.0))
    # Held peaks that fall off with the release, then smoothed within the look-ahead.
    step = int(0.001 * rate_hz)
    slow = maximum_filter1d(over_db, step)[::step]
    fall = float(np.exp(-0.001 / _RELEASE_S))
    held = np.empty_like(slow)
    level = 0.0
    for index, value in enumerate(slow):
        level = max(float(value), level * fall)
        held[index] = level
    reduction_db = np.maximum(np.repeat(held, step)[: len(over_db)], over_db)
    reduction_db = uniform_filter1d(reduction_db, look)
    out: Samples = (driven * 10 ** (-reduction_db[:, None] / 20)).astype(np.float32)
    return np.clip(out, -ceiling, ceiling).astype(np.float32)


def clipped(sound: Samples, clip_db: float, ceiling: float = 0.99) -> Samples:
    """Peaks cut off: raised until they lie `clip_db` above `ceiling`, then clipped there.

    The result is brought back to the level that the sound had, as a clip that was gained down.
    """
    peak = float(np.abs(sound).max())
    if peak == 0:
        return sound
    gain = np.float32(ceiling / peak * 10 ** (clip_db / 20))
    cut: Samples = np.clip(sound * gain, -ceiling, ceiling).astype(np.float32) / gain
    return cut


def coded(sound: Samples, rate_hz: int, codec: str, kbps: int) -> Samples:
    """Through a lossy codec ("mp3" or "aac") and back, aligned with what went in."""
    import av

    name, container = {"mp3": ("libmp3lame", "mp3"), "aac": ("aac", "adts")}[codec]
    file = io.BytesIO()
    layout = "mono" if sound.shape[1] == 1 else "stereo"
    with av.open(file, "w", format=container) as output:
        stream: Any = output.add_stream(name, rate=rate_hz, layout=layout)
        stream.bit_rate = kbps * 1000
        stream.format = "fltp"
        size = 1152 if codec == "mp3" else 1024
        for start in range(0, len(sound), size):
            block = np.ascontiguousarray(sound[start : start + size].T)
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate = rate_hz
            frame.pts = start
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r") as back:
        decoded = np.concatenate([f.to_ndarray() for f in back.decode(audio=0)], axis=1).T
    return _aligned(decoded.astype(np.float32), sound)


def _aligned(late: Samples, early: Samples, most: int = 4096) -> Samples:
    """`late` moved by the lag with the greatest correlation, padded or cut to `early`'s length."""
    from scipy.signal import correlate

    length = min(len(early), len(late), 1 << 18)
    first, second = late[:length].mean(axis=1), early[:length].mean(axis=1)
    products = correlate(first.astype(np.float64), second.astype(np.float64), method="fft")
    middle = length - 1
    lag = int(np.argmax(products[middle - most : middle + most + 1])) - most
    moved = late[lag:] if lag >= 0 else np.pad(late, ((-lag, 0), (0, 0)))
    moved = moved[: len(early)]
    padded: Samples = np.pad(moved, ((0, len(early) - len(moved)), (0, 0)))
    return padded
