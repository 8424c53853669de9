"""Where somebody speaks: silero-vad's published model, run block by block.

The model's weights ship in the `silero-vad` wheel (MIT). Its batched ONNX form is run directly,
because importing the package would load torch and set its threads.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlecompanion.errors import EngineError
from nlecompanion.model import Samples, Span

RATE_HZ = 16_000
#: The model's frame: 32 ms, preceded by the last 4 ms of the frame before.
FRAME_SAMPLES = 512
CONTEXT_SAMPLES = 64
FRAME_S = Fraction(FRAME_SAMPLES, RATE_HZ)
_FRAMES_A_CALL = 256
_MODEL = "silero_vad_16k_sequence.onnx"

# The values that the model's authors publish as defaults for its streaming use.
ON_PROBABILITY = 0.5
OFF_PROBABILITY = 0.35
MIN_SPEECH_S = Fraction(1, 4)
MIN_GAP_S = Fraction(1, 10)
PAD_S = Fraction(3, 100)


@lru_cache(maxsize=1)
def _session() -> Any:
    import onnxruntime

    spec = find_spec("silero_vad")
    path = Path(spec.origin).parent / "data" / _MODEL if spec and spec.origin else None
    if path is None or not path.is_file():
        raise EngineError(
            f"The speech detector's model {_MODEL} is missing. Run: pip install 'silero-vad>=6.2.1'"
        )
    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        str(path), sess_options=options, providers=["CPUExecutionProvider"]
    )


class SpeechMeter:
    """Speech probabilities of a signal given in blocks; memory does not grow with blocks' sum.

    `push` takes float32 of shape (samples, channels) at `rate_hz`; `finish` returns one
    probability for every 32 ms from the first sample on.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._rest: Samples = np.zeros(0, np.float32)
        self._mono_rest: Samples = np.zeros(0, np.float32)
        self._context: Samples = np.zeros(CONTEXT_SAMPLES, np.float32)
        self._hidden: Samples = np.zeros((1, 1, 128), np.float32)
        self._cell: Samples = np.zeros((1, 1, 128), np.float32)
        self._probabilities: list[Samples] = []

    def push(self, block: Samples) -> None:
        """Takes the next block."""
        channels = block.shape[1]
        # A product with a vector is many times faster than a mean over so short an axis.
        mono = block @ np.full(channels, 1 / channels, np.float32)
        self._push_16k(self._resample(np.concatenate([self._mono_rest, mono])))

    def finish(self) -> NDArray[np.float32]:
        """The probabilities of all frames, the last one padded with silence."""
        if self._mono_rest.size:
            self._push_16k(_to_16k(self._mono_rest, self._rate_hz))
            self._mono_rest = self._mono_rest[:0]
        if self._rest.size:
            self._run(np.pad(self._rest, (0, FRAME_SAMPLES - self._rest.size)))
            self._rest = self._rest[:0]
        if not self._probabilities:
            return np.zeros(0, np.float32)
        return np.concatenate(self._probabilities)

    def _resample(self, mono: Samples) -> Samples:
        # Whole units only, so that blocks of any length give the same frames.
        unit = self._rate_hz // math.gcd(self._rate_hz, RATE_HZ)
        whole = mono.size // unit * unit
        self._mono_rest = mono[whole:]
        return _to_16k(mono[:whole], self._rate_hz)

    def _push_16k(self, samples: Samples) -> None:
        samples = np.concatenate([self._rest, samples])
        step = FRAME_SAMPLES * _FRAMES_A_CALL
        whole = samples.size // FRAME_SAMPLES * FRAME_SAMPLES
        for start in range(0, whole, step):
            self._run(samples[start : min(start + step, whole)])
        self._rest = samples[whole:]

    def _run(self, samples: Samples) -> None:
        frames = samples.reshape(-1, FRAME_SAMPLES)
        contexts = np.vstack([self._context[None], frames[:-1, -CONTEXT_SAMPLES:]])
        self._context = frames[-1, -CONTEXT_SAMPLES:].copy()
        values, self._hidden, self._cell = _session().run(
            ["speech_probs", "hn", "cn"],
            {
                "input": np.concatenate([contexts, frames], axis=1),
                "h": self._hidden,
                "c": self._cell,
            },
        )
        self._probabilities.append(np.asarray(values, np.float32).reshape(-1))


def _to_16k(mono: Samples, rate_hz: int) -> Samples:
    """To 16 kHz; multiples of it by averaging, whose mild aliasing the detector does not mind."""
    if mono.size == 0 or rate_hz == RATE_HZ:
        return mono
    if rate_hz % RATE_HZ == 0:
        step = rate_hz // RATE_HZ
        padded = np.pad(mono, (0, -mono.size % step))
        averaged: Samples = padded.reshape(-1, step) @ np.full(step, 1 / step, np.float32)
        return averaged
    from scipy.signal import resample_poly

    divisor = math.gcd(rate_hz, RATE_HZ)
    resampled = resample_poly(mono, RATE_HZ // divisor, rate_hz // divisor)
    return np.asarray(resampled, np.float32)


def speech_spans(probabilities: NDArray[np.float32], length_s: Fraction) -> tuple[Span, ...]:
    """Stretches of speech: on at 0.5, off under 0.35, gaps under 0.1 s closed, padded by 30 ms."""
    stretches: list[list[int]] = []
    speaking = False
    for index, probability in enumerate(probabilities.tolist()):
        if not speaking and probability >= ON_PROBABILITY:
            speaking = True
            close = bool(stretches) and (index - stretches[-1][1]) * FRAME_S < MIN_GAP_S
            if not close:
                stretches.append([index, index])
        elif speaking and probability < OFF_PROBABILITY:
            speaking = False
        if speaking:
            stretches[-1][1] = index + 1
    return tuple(_padded(stretches, length_s))


def _padded(stretches: Sequence[Sequence[int]], length_s: Fraction) -> list[Span]:
    spans: list[Span] = []
    for first, end in stretches:
        if (end - first) * FRAME_S < MIN_SPEECH_S:
            continue
        start_s = max(first * FRAME_S - PAD_S, spans[-1].end_s if spans else Fraction(0))
        end_s = min(end * FRAME_S + PAD_S, length_s)
        if end_s > start_s:
            spans.append(Span(start_s, end_s - start_s))
    return spans


def clip_spans(spans: Sequence[Span], window: Span) -> tuple[Span, ...]:
    """The parts of the spans that lie in the window, counted from the window's start.

    The spans stand in order of time and do not overlap: an hour's are not looked through for each
    of its windows.
    """
    clipped = []
    start_s, end_s = window.start_s, window.end_s
    for index in range(bisect_right(spans, start_s, key=lambda span: span.end_s), len(spans)):
        span = spans[index]
        if span.start_s >= end_s:
            break
        first_s, last_s = max(span.start_s, start_s), min(span.end_s, end_s)
        if last_s > first_s:
            clipped.append(Span(first_s - start_s, last_s - first_s))
    return tuple(clipped)
