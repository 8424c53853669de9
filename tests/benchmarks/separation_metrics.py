"""How near an estimated voice is to the true one. Optional measures are None where a package lacks.

`pip install pesq pystoi speechmos` brings all of them.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mono = NDArray[np.float32]
_JUDGED_HZ = 16_000
#: More than this is called perfect: float32 itself ends near 140 dB.
_MOST_DB = 80.0


@dataclass(frozen=True, slots=True)
class Scores:
    """Measures of one estimate; higher is better in all of them."""

    si_sdr_db: float
    pesq: float | None
    stoi: float | None
    sig: float | None
    bak: float | None
    ovrl: float | None


def missing_packages() -> tuple[str, ...]:
    """Optional packages that are not installed."""
    return tuple(name for name in ("pesq", "pystoi", "speechmos") if find_spec(name) is None)


def score(estimate: Mono, clean: Mono, rate_hz: int) -> Scores:
    """All measures that can be had of an estimate at any rate, both of shape (samples,)."""
    estimate_16k, clean_16k = _at_16k(estimate, rate_hz), _at_16k(clean, rate_hz)
    sig, bak, ovrl = _dnsmos(estimate_16k)
    return Scores(
        si_sdr_db(estimate, clean),
        _pesq(estimate_16k, clean_16k),
        _stoi(estimate_16k, clean_16k),
        sig,
        bak,
        ovrl,
    )


def si_sdr_db(estimate: Mono, clean: Mono) -> float:
    """Scale-invariant ratio (Le Roux et al. 2019), means removed, at most 80 dB."""
    guess = estimate.astype(np.float64) - estimate.mean(dtype=np.float64)
    truth = clean.astype(np.float64) - clean.mean(dtype=np.float64)
    scaled = (guess @ truth) / (truth @ truth) * truth
    error = guess - scaled
    if not scaled.any():
        return -_MOST_DB
    ratio = (scaled @ scaled) / max(float(error @ error), 1e-30)
    return min(_MOST_DB, 10 * float(np.log10(ratio)))


def level_change_db(output: Mono, given: Mono) -> float:
    """Energy of the output over that of the input in dB, not under -120."""
    energy_out = float(np.square(output, dtype=np.float64).sum())
    energy_in = float(np.square(given, dtype=np.float64).sum())
    return 10 * float(np.log10(max(energy_out / max(energy_in, 1e-30), 1e-12)))


def silent_mask(clean: Mono, rate_hz: int) -> NDArray[np.bool_]:
    """True where nobody speaks: 50 ms frames 50 dB under the loudest, spread 100 ms inwards."""
    frame = rate_hz // 20
    count = len(clean) // frame
    power = np.square(clean[: count * frame].reshape(count, frame), dtype=np.float64).mean(axis=1)
    speaking = power > power.max() * 1e-5
    near = np.convolve(speaking, np.ones(5), mode="same") > 0
    mask = np.zeros(len(clean), dtype=bool)
    mask[: count * frame] = np.repeat(~near, frame)
    return mask


def _at_16k(samples: Mono, rate_hz: int) -> Mono:
    from scipy.signal import resample_poly

    divisor = int(np.gcd(rate_hz, _JUDGED_HZ))
    lowered = resample_poly(samples, _JUDGED_HZ // divisor, rate_hz // divisor)
    return np.asarray(lowered, dtype=np.float32)


def _pesq(estimate: Mono, clean: Mono) -> float | None:
    if find_spec("pesq") is None:
        return None
    package = import_module("pesq")
    try:
        return float(package.pesq(_JUDGED_HZ, clean, estimate, "wb"))
    except package.NoUtterancesError:
        return 1.0


def _stoi(estimate: Mono, clean: Mono) -> float | None:
    if find_spec("pystoi") is None:
        return None
    package = import_module("pystoi")
    with warnings.catch_warnings():
        # It warns where too little speech is left, and then gives 1e-5: that is the score.
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(package.stoi(clean, estimate, _JUDGED_HZ))


#: Calibration of DNSMOS P.835 (Reddy et al. 2022), highest power first: SIG, BAK, OVRL.
_DNSMOS_CURVES = (
    (-0.08397278, 1.22083953, 0.0052439),
    (-0.13166888, 1.60915514, -0.39604546),
    (-0.06766283, 1.11546468, 0.04602535),
)
_DNSMOS_SAMPLES = int(9.01 * _JUDGED_HZ)


@cache
def _dnsmos_session() -> Any | None:
    """The P.835 graph out of speechmos, whose own code would need librosa for another score."""
    found = find_spec("speechmos")
    if found is None or not found.submodule_search_locations:
        return None
    graph = Path(found.submodule_search_locations[0]) / "dnsmos_models" / "sig_bak_ovr.onnx"
    import onnxruntime

    return onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])


def _dnsmos(estimate: Mono) -> tuple[float | None, float | None, float | None]:
    session = _dnsmos_session()
    if session is None:
        return None, None, None
    repeated = np.resize(np.clip(estimate, -1.0, 1.0), _DNSMOS_SAMPLES)
    raw = session.run(None, {"input_1": repeated[None].astype(np.float32)})[0][0]
    sig, bak, ovrl = (
        float(np.polyval(curve, value)) for curve, value in zip(_DNSMOS_CURVES, raw, strict=True)
    )
    return sig, bak, ovrl
