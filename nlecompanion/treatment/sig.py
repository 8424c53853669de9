"""DNSMOS SIG, a network's opinion on how natural a voice sounds, where its weights are installed.

DNSMOS P.835 (Reddy, Gopal and Cutler, ICASSP 2022) listens to 9.01 s at 16 kHz. The weights come
with the package `speechmos`; only they are used, so that none of what it imports must be there.
One thread, so that the same sound gives the same score, bit for bit.
"""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nlecompanion.model import Samples
from nlecompanion.treatment.spectra import presence_gains
from nlecompanion.units import gain_from_db

if TYPE_CHECKING:
    import onnxruntime

    from nlecompanion.treatment.harm import SigOf

PACKAGE = "speechmos"
RATE_HZ = 16_000
LENGTH_SAMPLES = 144_160
#: Shorter sound would be repeated so often that the repetition is what is heard.
LEAST_S = 1.0
_MODEL = Path("dnsmos_models") / "sig_bak_ovr.onnx"
#: From the network's raw output to the scale of the listening test, as published with it.
_TO_MOS = (-0.08397278, 1.22083953, 0.0052439)


def sig_source() -> str:
    """Package and version that DNSMOS SIG is asked of; empty where it is not installed."""
    if _model_path() is None:
        return ""
    try:
        return f"{PACKAGE} {version(PACKAGE)}"
    except PackageNotFoundError:
        return PACKAGE


def sig_of(take: Samples, voice: Samples, rate_hz: int) -> SigOf | None:
    """SIG of the mix of a window at (intensity_db, presence_db), each asked once.

    `take` and `voice`: float32 of shape (samples, channels). None where the weights are not
    installed, or where the window is silent or shorter than a second.
    """
    path = _model_path()
    if path is None or len(take) < LEAST_S * rate_hz or not take.any():
        return None
    at_16k = [_to_16k(sound.mean(axis=1), rate_hz) for sound in (voice, take - voice)]
    session = _session(path)

    @cache
    def asked(intensity_db: float, presence_db: float) -> float:
        mixed = at_16k[0] + np.float32(gain_from_db(-intensity_db)) * at_16k[1]
        return _sig(session, _lifted(mixed, presence_db))

    return asked


def _sig(session: onnxruntime.InferenceSession, sound: NDArray[np.float32]) -> float:
    whole = np.resize(sound, LENGTH_SAMPLES)[None]  # from the start again, to the length
    (scores,) = session.run(None, {"input_1": whole})
    return float(np.polyval(_TO_MOS, float(np.asarray(scores)[0][0])))


def _lifted(sound: NDArray[np.float32], presence_db: float) -> NDArray[np.float32]:
    if presence_db == 0:
        return sound
    from scipy.fft import irfft, rfft

    frequencies_hz = np.fft.rfftfreq(len(sound), 1 / RATE_HZ).astype(np.float64)
    gains = np.sqrt(presence_gains(frequencies_hz, presence_db))
    return np.asarray(irfft(rfft(sound) * gains, len(sound)), np.float32)


def _to_16k(mono: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    from scipy.signal import resample_poly

    divisor = int(np.gcd(rate_hz, RATE_HZ))
    return np.asarray(resample_poly(mono, RATE_HZ // divisor, rate_hz // divisor), np.float32)


def _model_path() -> Path | None:
    spec = find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        if (Path(folder) / _MODEL).is_file():
            return Path(folder) / _MODEL
    return None


@lru_cache(maxsize=1)
def _session(path: Path) -> onnxruntime.InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        str(path), sess_options=options, providers=["CPUExecutionProvider"]
    )
