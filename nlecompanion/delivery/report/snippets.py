"""A few seconds of sound as MP3, the one compressed format that every browser decodes.

AAC needs the system's decoder in Firefox and is missing from some builds of Chromium, Ogg Opus
from Safari before 18.4; MP3 lacks nowhere.
"""

from __future__ import annotations

import io

import numpy as np

from nlecompanion.model import Samples

MIME = "audio/mpeg"
BIT_RATES = {1: 64_000, 2: 96_000}
#: A rate of MPEG-1, layer III (ISO/IEC 11172-3, 2.4.2.3): speech and its hiss lie below 16 kHz,
#: and 48 kHz would cost half as much time and room again.
RATE_HZ = 32_000
#: LAME's quality scale, 0 (best) to 9: this one costs a quarter of 0 (measured).
_EFFORT = "7"
_BLOCK = 1152


def mp3(sound: Samples, rate_hz: int) -> bytes:
    """Sound of shape (samples, channels) compressed; more than two channels become their mean,
    and two that are the same become one.

    The same sound gives the same bytes with the same encoder.

    Raises:
        ValueError: no sound.
        OSError: there is no encoder, or it failed (PyAV's errors are `OSError`s or `ValueError`s).
    """
    if not len(sound):
        raise ValueError("no sound to compress")
    if sound.shape[1] > 2:
        sound = sound.mean(axis=1, keepdims=True, dtype=np.float32)
    elif sound.shape[1] == 2 and np.array_equal(sound[:, 0], sound[:, 1]):
        sound = sound[:, :1]
    return _encoded(np.ascontiguousarray(sound, np.float32), rate_hz)


def _encoded(sound: Samples, rate_hz: int) -> bytes:
    import av

    channels = sound.shape[1]
    layout = {1: "mono", 2: "stereo"}[channels]
    resampler = av.AudioResampler("fltp", layout, RATE_HZ)
    written = io.BytesIO()
    # Neither a date nor an encoder's version in the file: the same sound, the same bytes.
    options = {"id3v2_version": "0", "write_xing": "0", "fflags": "+bitexact"}
    with av.open(written, "w", format="mp3", options=options) as container:
        stream = container.add_stream(
            "libmp3lame", rate=RATE_HZ, layout=layout, options={"compression_level": _EFFORT}
        )
        stream.bit_rate = BIT_RATES[channels]
        for start in range(0, len(sound), _BLOCK):
            block = np.ascontiguousarray(sound[start : start + _BLOCK].T)
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate, frame.pts = rate_hz, start
            for piece in resampler.resample(frame):
                container.mux(stream.encode(piece))
        for piece in resampler.resample(None):
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return written.getvalue()
