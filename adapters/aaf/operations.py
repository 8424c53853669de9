"""What effects do to time, and to how many sounds go through them.

The ids are those of the AAF Edit Protocol and of the documents that editors write.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from nlecompanion.model import LeftAlone, Reason

from .values import AafObject, fraction_of, items_of, text_of, value_of

#: Audio Channel Combiner: several mono segments side by side as one.
COMBINER = "6b46dd7a-132d-4856-ab21-8b751d8462ec"
#: Mono Audio Gain, also written as Audio Gain or without a name.
GAIN = "9d2ea894-0968-11d3-8a38-0050040ef7d2"
_RETIMES = frozenset(
    {
        "9d2ea890-0968-11d3-8a38-0050040ef7d2",  # Video Speed Control
        "9d2ea891-0968-11d3-8a38-0050040ef7d2",  # Video Repeat
        "9d2ea892-0968-11d3-8a38-0050040ef7d2",  # Video Frame to Mask, before 1.1: Pitch Shift
        "86d8b2e8-4d33-4aab-8e13-5d5d1d3a0f9b",  # Motion Control
    }
)
_RETIME_WORDS = re.compile(
    r"\b(motion|speed|revers\w*|repeat|freeze|time ?warp|time ?remap\w*|stretch|varispeed|"
    r"time ?compression|warp)\b",
    re.IGNORECASE,
)
_SPEED = re.compile(r"speed ?ratio", re.IGNORECASE)


def operation_id(group: AafObject) -> str:
    """The id of an operation group's operation, in lower case; empty where it names none."""
    operation = value_of(group, "Operation")
    return "" if operation is None else str(operation.auid).lower()


def operation_name(group: AafObject) -> str:
    """What the editor calls the effect."""
    return text_of(value_of(group, "Operation"), "Name")


def is_retime(group: AafObject) -> bool:
    """Whether the effect plays its input at another speed."""
    if operation_id(group) in _RETIMES:
        return True
    operation = value_of(group, "Operation")
    if value_of(operation, "IsTimeWarp", False):
        return True
    return bool(_RETIME_WORDS.search(operation_name(group).replace("_", " ")))


def retiming(group: AafObject) -> LeftAlone:
    """The reason that a speed change is."""
    speed = _speed(group)
    if speed is None:
        return LeftAlone(Reason.RETIMED, operation_name(group))
    if speed == 0:
        return LeftAlone(Reason.FROZEN)
    if speed < 0:
        return LeftAlone(Reason.REVERSED, f"{float(-speed) * 100:g} % speed")
    return LeftAlone(Reason.RETIMED, f"{float(speed) * 100:g} % speed")


def _speed(group: AafObject) -> Fraction | None:
    for parameter in items_of(group, "Parameters"):
        if _SPEED.search(_parameter_name(parameter)):
            value = value_of(parameter, "Value")
            return fraction_of(value)
    return None


def _parameter_name(parameter: AafObject) -> str:
    definition = getattr(parameter, "parameterdef", None)
    return text_of(definition, "Name")


def is_silenced(group: AafObject) -> bool:
    """Whether the effect is a constant gain of nothing."""
    if operation_id(group) != GAIN:
        return False
    values = [_constant(parameter) for parameter in items_of(group, "Parameters")]
    return len(values) == 1 and values[0] == 0


def _constant(parameter: AafObject) -> Any:
    if value_of(parameter, "PointList") is not None:
        return None
    return fraction_of(value_of(parameter, "Value"))
