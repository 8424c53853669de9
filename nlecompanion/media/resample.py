"""Changes the sample rate by an exact ratio, any stretch of a signal exactly like the whole.

Output sample `n` lies at input position `n * down / up`. Each is a windowed-sinc sum over the
inputs around it (Smith, "Digital Audio Resampling", with a Kaiser window), so it depends on its
position only. Outputs repeat their sub-sample phases every `up` samples; so the coefficients of a
stretch of outputs form one matrix, and a block is a matrix product over shifted windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import gcd

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from nlecompanion.model import Samples

#: Zero crossings on either side. With 120 dB of stopband the transition is 8 % of the band:
#: flat to 20.2 kHz at 44.1 kHz, and nothing folds back.
ZERO_CROSSINGS = 96
STOPBAND_DB = 120.0
#: Kaiser and Schafer (1980): beta for more than 50 dB.
_BETA = 0.1102 * (STOPBAND_DB - 8.7)
#: Transition width as a share of the narrower band: (A - 7.95) / (2.285 * 2 * Z * pi).
_TRANSITION = (STOPBAND_DB - 7.95) / (2.285 * 2 * ZERO_CROSSINGS * np.pi)
#: Multiplications of one matrix product. OpenBLAS spreads larger ones over threads, which costs
#: ten times the CPU time of these (measured) and makes the last bit depend on the machine.
_PRODUCT_SIZE = 250_000
_ROWS = 4


@dataclass(frozen=True, slots=True, eq=False)
class _Bank:
    """Coefficients of neighbouring outputs: (inputs, outputs); inputs begin at `first_input`."""

    first_output: int
    first_input: int
    coefficients: NDArray[np.float32]


class Resampler:
    """Converts from `from_hz` to `to_hz`, both whole numbers per second."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        common = gcd(from_hz, to_hz)
        up, down = to_hz // common, from_hz // common
        columns = _columns(down / up)
        repeats = max(1, columns // up)
        self.from_hz, self.to_hz = from_hz, to_hz
        #: After this many outputs (and `period_inputs` inputs) the phases repeat.
        self.period_outputs, self.period_inputs = up * repeats, down * repeats
        self._banks = _banks(up, down, self.period_outputs, columns)

    def inputs_for(self, start: int, end: int) -> tuple[int, int]:
        """The range of inputs that outputs `start` (a whole period) to `end` depend on."""
        periods = -(-(end - start) // self.period_outputs)
        base = start // self.period_outputs * self.period_inputs
        last = self._banks[-1]
        reach = last.first_input + last.coefficients.shape[0]
        return base + self._banks[0].first_input, base + (periods - 1) * self.period_inputs + reach

    def outputs(self, inputs: Samples, start: int, end: int) -> Samples:
        """Outputs `start` to `end`, from the inputs of exactly `inputs_for(start, end)`.

        `inputs` has shape (samples, channels), and so has the result.
        """
        count = end - start
        periods = -(-count // self.period_outputs)
        channels = inputs.shape[1]
        batches = -(-periods // _ROWS)
        result = np.empty((batches * _ROWS, self.period_outputs, channels), dtype=np.float32)
        spare = np.zeros((batches * _ROWS - periods) * self.period_inputs, dtype=np.float32)
        first_input = self._banks[0].first_input
        stride = self.period_inputs * inputs.itemsize
        for channel in range(channels):
            line = np.concatenate((inputs[:, channel], spare))
            for bank in self._banks:
                taps, columns = bank.coefficients.shape
                windows = as_strided(
                    line[bank.first_input - first_input :],
                    shape=(batches, _ROWS, taps),
                    strides=(_ROWS * stride, stride, line.itemsize),
                    writeable=False,
                )
                at = slice(bank.first_output, bank.first_output + columns)
                product = windows @ bank.coefficients
                result[:, at, channel] = product.reshape(-1, columns)
        return result.reshape(-1, channels)[:count]


def _half_width(ratio: float) -> float:
    """Inputs on either side of an output; `ratio` is input rate / output rate."""
    return ZERO_CROSSINGS * max(1.0, ratio)


def _columns(ratio: float) -> int:
    """Outputs of one matrix: as many as keep `_ROWS` windows by it within `_PRODUCT_SIZE`."""
    columns = 1
    while _ROWS * columns * (columns * ratio + 2 * _half_width(ratio)) < _PRODUCT_SIZE:
        columns += 1
    return columns


@lru_cache(maxsize=8)
def _banks(up: int, down: int, period_outputs: int, columns: int) -> tuple[_Bank, ...]:
    return tuple(
        _bank(first, min(columns, period_outputs - first), up, down)
        for first in range(0, period_outputs, columns)
    )


def _bank(first_output: int, columns: int, up: int, down: int) -> _Bank:
    # The band ends below the lower Nyquist frequency by half the transition.
    cutoff = min(1.0, up / down) * (1.0 - _TRANSITION / 2)
    half_width = _half_width(down / up)
    numbers = np.arange(first_output, first_output + columns)
    whole, part = np.divmod(numbers * down, up)
    first_input = int(whole[0] - np.ceil(half_width))
    last_input = int(whole[-1] + np.ceil(half_width)) + 1
    inputs = np.arange(first_input, last_input + 1)
    # Whole and sub-sample parts apart: exact however far into a period the output lies.
    distance = (inputs[:, None] - whole[None, :]) - part[None, :] / up
    shape = np.clip(1.0 - (distance / half_width) ** 2, 0.0, None)
    kernel = np.sinc(cutoff * distance) * np.i0(_BETA * np.sqrt(shape))
    kernel[np.abs(distance) >= half_width] = 0.0
    kernel /= kernel.sum(axis=0)
    return _Bank(first_output, first_input, np.asarray(kernel, dtype=np.float32))
