"""Whether a clip plays at the speed of its recording: `timeMap` and `conform-rate`."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from lxml import etree

from nlecompanion.model import LeftAlone, Reason
from nlecompanion.units import exact_rate

from .times import seconds


@dataclass(frozen=True, slots=True)
class Mapping:
    """From a clip's local time to its content's: points of a broken line, none for equality."""

    points: tuple[tuple[Fraction, Fraction], ...] = ()

    def at(self, time_s: Fraction) -> Fraction:
        """The content's time at the clip's."""
        if len(self.points) < 2:
            return time_s
        pairs = list(zip(self.points, self.points[1:], strict=False))
        (t0, v0), (t1, v1) = next(((a, b) for a, b in pairs if time_s < b[0]), pairs[-1])
        return v0 + (time_s - t0) * (v1 - v0) / (t1 - t0)

    def why_left_alone(self) -> LeftAlone | None:
        """None where it only shifts."""
        speeds = {
            (v1 - v0) / (t1 - t0)
            for (t0, v0), (t1, v1) in zip(self.points, self.points[1:], strict=False)
        }
        if speeds <= {Fraction(1)}:
            return None
        if speeds == {Fraction(0)}:
            return LeftAlone(Reason.FROZEN)
        if len(speeds) > 1:
            return LeftAlone(Reason.RETIMED, "variable speed")
        (speed,) = speeds
        if speed < 0:
            return LeftAlone(Reason.REVERSED, f"{float(-speed) * 100:.4g} % speed")
        return LeftAlone(Reason.RETIMED, f"{float(speed) * 100:.4g} % speed")


def mapping_of(clip: etree._Element) -> Mapping:
    """The clip's `timeMap`; points that do not run forward are left out.

    Raises:
        BadTime: a point that is no time.
    """
    found = clip.find("timeMap")
    points: list[tuple[Fraction, Fraction]] = []
    for point in () if found is None else found.iterfind("timept"):
        time_s = seconds(point.get("time", ""), "time")
        value_s = seconds(point.get("value", ""), "value")
        if not points or time_s > points[-1][0]:
            points.append((time_s, value_s))
    return Mapping(tuple(points) if len(points) > 1 else ())


def rate_scaled(clip: etree._Element, rate: Fraction) -> LeftAlone | None:
    """Final Cut plays 25 in 24 frame for frame, faster or slower than real time.

    Measured on real exports: the local times of such a clip do not run with the timeline's.
    """
    conform = clip.find("conform-rate")
    if conform is None or conform.get("scaleEnabled", "1") == "0":
        return None
    text = conform.get("srcFrameRate", "")
    try:
        source = exact_rate(float(text)) if text else None
    except ValueError:
        source = None
    if source == rate:
        return None
    return LeftAlone(
        Reason.RETIMED, f"its {text or 'own'} frames a second are conformed by changing its speed"
    )
