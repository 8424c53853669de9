"""Spectrograms of a clip as recorded, after the split and as written, one under another."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from benchmarks.room_chain import Worked
from numpy.typing import NDArray

SHOWN = ("recorded", "split", "file")
_FRAME, _HOP = 2048, 512
_RANGE_DB = (-110.0, -20.0)
_HIGHEST_HZ = 16_000


def can_draw() -> bool:
    """Whether matplotlib is installed; it is no dependency."""
    return find_spec("matplotlib") is not None


def draw(worked: Worked, folder: Path) -> Path:
    """One picture of a region."""
    matplotlib = import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot = import_module("matplotlib.pyplot")
    figure, rows = pyplot.subplots(len(SHOWN), 1, figsize=(15, 13), sharex=True)
    for row, step in zip(rows, SHOWN, strict=True):
        levels = spectrogram_db(worked.sounds[step].mean(axis=1))
        extent = (0, worked.length_s, 0, worked.region.rate_hz / 2000)
        shown = row.imshow(
            levels.T,
            origin="lower",
            aspect="auto",
            extent=extent,
            vmin=_RANGE_DB[0],
            vmax=_RANGE_DB[1],
            cmap="magma",
        )
        row.set_ylim(0, _HIGHEST_HZ / 1000)
        row.set_ylabel(f"{step}, kHz")
        figure.colorbar(shown, ax=row, label="dB")
    rows[0].set_title(f"{worked.name}: {worked.decision.intensity_db:g} dB, {worked.method.value}")
    rows[-1].set_xlabel("s")
    figure.tight_layout()
    path = folder / f"{worked.name.replace(' ', '_')}.png"
    figure.savefig(path, dpi=70)
    pyplot.close(figure)
    return path


def spectrogram_db(mono: NDArray[np.float32]) -> NDArray[np.float64]:
    """Power of Hann-windowed frames: (frames, bins), dB of a full-scale sine."""
    frames = np.lib.stride_tricks.sliding_window_view(mono, _FRAME)[::_HOP]
    spectra = np.fft.rfft(frames * np.hanning(_FRAME), axis=1)
    powers = np.abs(spectra) ** 2 / (_FRAME / 4) ** 2
    return np.asarray(10 * np.log10(powers + 1e-14))
