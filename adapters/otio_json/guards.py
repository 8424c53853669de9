"""Refuses what makes the OpenTimelineIO library crash natively, before the library sees it.

Found by putting values of every kind into every member of every schema (33,000 trials with
OpenTimelineIO 0.18.1): it ends the process where an object lies inside of a time, or where an old
schema's upgrade throws an object away; and on two schemas of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from nlecompanion.errors import UnsafeDocument

from .times import Json

_FORBIDDEN = {
    "SerializableObjectRef": "a reference between objects may lead in a ring",
    "UnknownSchema": "its writer did not understand what it wrote",
}
#: Values, not objects: their members are numbers, or these.
_VALUES = {
    "RationalTime": frozenset[str](),
    "TimeRange": frozenset({"RationalTime"}),
    "TimeTransform": frozenset({"RationalTime"}),
    "V2d": frozenset[str](),
    "Box2d": frozenset({"V2d"}),
}

#: All that a JSON tree holds things in; asking for the type is the fastest test.
_HOLDERS = (dict, list)
Rule = Callable[[Json], str | None]


def refuse_dangerous(tree: object, name: str) -> None:
    """Walks the whole tree.

    Raises:
        UnsafeDocument: it holds what the library crashes on.
    """
    pending: list[Any] = [tree] if type(tree) in _HOLDERS else []
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            label = value.get("OTIO_SCHEMA")
            rule = _rule(label) if isinstance(label, str) else None
            fault = None if rule is None else rule(value)
            if fault is not None:
                raise UnsafeDocument(
                    f"{name} may crash a program that reads it: {fault}. "
                    f"Export the timeline again from the editing program itself."
                )
            pending += [inner for inner in value.values() if type(inner) in _HOLDERS]
        else:
            pending += [inner for inner in value if type(inner) in _HOLDERS]


@lru_cache(maxsize=1024)
def _rule(label: str) -> Rule | None:
    """What objects of that schema label must obey; None for most."""
    schema, _, version = label.partition(".")
    if schema in _FORBIDDEN:
        return lambda _value: f"it holds {schema}; {_FORBIDDEN[schema]}"
    if schema in _VALUES:
        return lambda value: _value_fault(value, schema)
    if not (version.isascii() and version.isdigit()) or int(version[:9]) < 2:
        return {"Clip": _old_clip_fault, "Marker": _old_marker_fault}.get(schema)
    return None


def _value_fault(value: Json, schema: str) -> str | None:
    for key, inner in value.items():
        if isinstance(inner, dict | list) and _schema(inner) not in _VALUES[schema]:
            return f"a {schema} holds an object as its {key[:40]!r}"
    return None


def _old_clip_fault(clip: Json) -> str | None:
    for key in ("media_references", "active_media_reference_key"):
        if isinstance(clip.get(key), dict | list):
            return f"a Clip of version 1 has {key}"
    reference = clip.get("media_reference")
    if isinstance(reference, dict | list) and not _schema(reference):
        return "a Clip of version 1 has no single media_reference"
    return None


def _old_marker_fault(marker: Json) -> str | None:
    marked = marker.get("marked_range")
    if isinstance(marked, dict | list) and _schema(marked) != "TimeRange":
        return "a Marker's marked_range is no TimeRange"
    return None


def _schema(value: object) -> str:
    label = value.get("OTIO_SCHEMA") if isinstance(value, dict) else None
    return label.partition(".")[0] if isinstance(label, str) else ""
