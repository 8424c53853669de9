"""Numbers, rates and text as AAF holds them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

from nlecompanion.errors import UnsupportedDocument
from nlecompanion.units import MAX_RATE_HZ, exact_rate

#: An object of pyaaf2, which has no types.
AafObject = Any

#: Positions beyond it (two years of samples at 192 kHz) are damage or an attack.
MAX_UNITS = 10**13


def value_of(holder: AafObject, name: str, otherwise: Any = None) -> Any:
    """The property's value, `otherwise` where the object does not have it."""
    if holder is None:
        return otherwise
    found = holder.get(name, None, allkeys=False)
    value = None if found is None else found.value
    return otherwise if value is None else value


def text_of(holder: AafObject, name: str) -> str:
    """A text property without what surrounds it; empty where there is none."""
    value = value_of(holder, name, "")
    return value.replace("\0", "").strip() if isinstance(value, str) else ""


def class_of(thing: AafObject) -> str:
    """The name of the AAF class: `SourceClip`, `NetworkLocator`."""
    definition = None if thing is None else thing.classdef
    return "" if definition is None else str(definition.class_name)


def is_a(thing: AafObject, name: str) -> bool:
    """Whether the object is of the AAF class `name` or of one derived from it."""
    definition = None if thing is None else thing.classdef
    for _ in range(64):
        if definition is None:
            return False
        if definition.class_name == name:
            return True
        definition = definition.parent
    return False


def whole_number(holder: AafObject, name: str, otherwise: int = 0) -> int:
    """A position or length in edit units.

    Raises:
        UnsupportedDocument: not a number within `MAX_UNITS`.
    """
    value = value_of(holder, name, otherwise)
    if not isinstance(value, int) or abs(value) > MAX_UNITS:
        raise UnsupportedDocument(f"{name} holds {str(value)[:40]!r}, which is no position.")
    return value


def length_of(component: AafObject) -> int:
    """A component's length in edit units, never negative."""
    length = whole_number(component, "Length")
    if length < 0:
        raise UnsupportedDocument(f"A {class_of(component)} has a length of {length}.")
    return length


def rate_of(slot: AafObject) -> Fraction:
    """The slot's exact edit rate: 11988/100 is 120000/1001.

    Raises:
        UnsupportedDocument: no rate, or one that nothing runs at.
    """
    rate = fraction_of(value_of(slot, "EditRate"))
    if rate is None or not 0 < rate <= MAX_RATE_HZ:
        raise UnsupportedDocument(f"A track has the edit rate {rate}. Export it again.")
    return exact_rate(float(rate)) if rate < 1000 else rate


def fraction_of(value: Any) -> Fraction | None:
    """A rational as a fraction; None for 0/0 and for anything else."""
    try:
        top, bottom = int(value.numerator), int(value.denominator)
    except (AttributeError, TypeError, ValueError):
        return None
    return Fraction(top, bottom) if bottom else None


def tagged_values(holder: AafObject, name: str) -> dict[str, Any]:
    """The name and value pairs of an attribute list."""
    pairs = items_of(holder, name)
    return {text_of(pair, "Name"): value_of(pair, "Value") for pair in pairs}


def items_of(holder: AafObject, name: str) -> list[AafObject]:
    """The objects of a vector or set property; empty where there is none."""
    value = value_of(holder, name, ())
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else []


def common_step(times_s: Iterable[Fraction], rate: Fraction) -> Fraction | None:
    """The slowest rate, a multiple of `rate`, at which all times are whole; None above 768 kHz."""
    needed = rate
    for time_s in times_s:
        needed *= (time_s * needed).denominator
        if needed > MAX_RATE_HZ:
            return None
    return needed


def floor_units(time_s: Fraction, rate: Fraction) -> int:
    """The last whole unit at or before a time."""
    return math.floor(time_s * rate)


def unique(items: Iterable[Any]) -> Iterator[Any]:
    """Each item once, in order."""
    seen = set()
    for item in items:
        if item not in seen:
            seen.add(item)
            yield item
