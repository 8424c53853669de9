"""The three graphs: one describes the sound, two read gains and filters out of the description."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nlecompanion.engines.deepfilternet.features import (
    FILTERED_BINS,
    Real,
    Spectra,
    band_feature,
    band_widths,
    bin_feature,
)

NAMES = ("enc.onnx", "erb_dec.onnx", "df_dec.onnx")
_FROM_ENCODER = ("emb", "e3", "e2", "e1", "e0", "c0")
#: Frames that a filter spans, and how many of them lie ahead.
TAPS = 5
_TAPS_AHEAD = 2


@dataclass(frozen=True, slots=True, eq=False)
class Filters:
    """What is done to spectra: linear, so the same may be done to several channels.

    `gains` (frames, 32) for the bands above 4.8 kHz, `taps` (frames, 96, 5) for the bins below.
    """

    gains: Real
    taps: Spectra

    def applied(self, spectra: Spectra) -> Spectra:
        """The filtered spectra, same shape."""
        out: Spectra = spectra * np.repeat(self.gains, band_widths(), axis=1)
        before = TAPS - 1 - _TAPS_AHEAD
        low = np.pad(spectra[:, :FILTERED_BINS], ((before, _TAPS_AHEAD), (0, 0)))
        out[:, :FILTERED_BINS] = 0
        for tap in range(TAPS):
            out[:, :FILTERED_BINS] += self.taps[:, :, tap] * low[tap : tap + len(spectra)]
        return out


class Graphs:
    """DeepFilterNet3, loaded from a folder of its three files."""

    def __init__(self, folder: Path) -> None:
        self._encoder, self._gains, self._taps = (_session(folder / name) for name in NAMES)

    def filters(self, spectra: Spectra) -> Filters:
        """The filters that leave the voice, from spectra (frames, 481) of one channel."""
        feeds = {"feat_erb": band_feature(spectra), "feat_spec": bin_feature(spectra)}
        results = self._encoder.run(_FROM_ENCODER, feeds)
        found = dict(zip(_FROM_ENCODER, results, strict=True))
        c0 = found.pop("c0")
        gains: Real = self._gains.run(("m",), found)[0][0, 0]
        # The last axis holds five pairs of a real and an imaginary part.
        pairs = self._taps.run(("coefs",), {"emb": found["emb"], "c0": c0})[0][0]
        return Filters(gains, np.ascontiguousarray(pairs, np.float32).view(np.complex64))


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = _thread_count()
    # Threads that wait by spinning take the processor from other work.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The arena would keep the memory of the longest take for good.
    options.enable_cpu_mem_arena = False
    return onnxruntime.InferenceSession(
        str(path), sess_options=options, providers=["CPUExecutionProvider"]
    )


def _thread_count() -> int:
    """As many as `engines.threads` gave torch; 0, all cores, where nothing has loaded torch."""
    torch = sys.modules.get("torch")
    return int(torch.get_num_threads()) if torch else 0
