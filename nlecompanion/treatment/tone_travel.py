"""A room tone as bytes, to be kept in a file or handed to another process."""

from __future__ import annotations

import numpy as np

from nlecompanion.treatment.tone_finding import NoRoomTone, RoomTone

_VALUES = ("level_db", "heard_s", "unsteadiness_db")


def tone_to_bytes(tone: RoomTone | NoRoomTone) -> bytes:
    """As a safetensors file: arrays and nothing else, the same bytes for the same tone."""
    from safetensors.numpy import save

    if isinstance(tone, NoRoomTone):
        return save({"reason": np.frombuffer(tone.reason.encode(), np.uint8)})
    return save(
        {
            "grains": np.ascontiguousarray(tone.grains).view(np.float32),
            "band_db": np.asarray(tone.band_db, np.float64),
            "values": np.asarray([getattr(tone, name) for name in _VALUES], np.float64),
            "rate_hz": np.asarray([tone.rate_hz, tone.estimated], np.int64),
        }
    )


def tone_from_bytes(content: bytes) -> RoomTone | NoRoomTone:
    """What `tone_to_bytes` made.

    Raises:
        ValueError: these bytes are no tone.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(content)
        if "reason" in arrays:
            return NoRoomTone(arrays["reason"].tobytes().decode())
        rate_hz, estimated = (int(value) for value in arrays["rate_hz"])
        values = {name: float(value) for name, value in zip(_VALUES, arrays["values"], strict=True)}
        return RoomTone(
            rate_hz=rate_hz,
            grains=_grains(arrays["grains"]),
            band_db=tuple(float(level) for level in arrays["band_db"]),
            estimated=bool(estimated),
            **values,
        )
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"no room tone: {error}") from error


def _grains(parts: np.ndarray) -> np.ndarray:
    if parts.ndim != 3 or parts.dtype != np.float32 or not np.isfinite(parts).all():
        raise ValueError("no room tone: its grains are not finite numbers")
    return np.ascontiguousarray(parts).view(np.complex64)
