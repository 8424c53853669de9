"""Our frozen types as JSON values and back, strictly: what comes from a child is outside data.

A dataclass is the list of its fields' values, a fraction two integers, a path its text. Only the
types that such values are made of are known; nothing is ever created by a name in the data.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any, TypeVar

_Value = TypeVar("_Value")
_Converter = Callable[[Any], Any]
_FLAVOURS: dict[str, type[PurePath]] = {"windows": PureWindowsPath, "posix": PurePosixPath}


def to_json(value: object, kind: Any) -> Any:
    """`value`, which is of type `kind`, as JSON values."""
    return _codec(kind)[0](value)


def from_json(value: Any, kind: type[_Value]) -> _Value:
    """The value of type `kind` that `to_json` turned into these JSON values.

    Raises:
        ValueError: they are not such a value; says where.
    """
    hashable: Any = kind
    read: _Value = _codec(hashable)[1](value)
    return read


@lru_cache(maxsize=256)
def _codec(kind: Any) -> tuple[_Converter, _Converter]:
    """Writer and reader of a type."""
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return (lambda value: value.value), kind
    if isinstance(kind, type) and is_dataclass(kind):
        return _dataclass_codec(kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return _tuple_codec(arguments[0])
    if origin in (types.UnionType, typing.Union) and arguments[1:] == (type(None),):
        return _optional_codec(arguments[0])
    raise TypeError(f"{kind} does not travel between processes")


def _dataclass_codec(kind: type) -> tuple[_Converter, _Converter]:
    hints = typing.get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    codecs = [_codec(hints[name]) for name in names]

    def write(value: Any) -> list[Any]:
        return [
            writer(getattr(value, name)) for name, (writer, _) in zip(names, codecs, strict=True)
        ]

    def read(value: Any) -> Any:
        if not isinstance(value, list) or len(value) != len(names):
            raise ValueError(f"{kind.__name__} has {len(names)} fields")
        return kind(*[reader(item) for item, (_, reader) in zip(value, codecs, strict=True)])

    return write, read


def _tuple_codec(kind: Any) -> tuple[_Converter, _Converter]:
    writer, reader = _codec(kind)

    def read(value: Any) -> tuple[Any, ...]:
        return tuple([reader(item) for item in _of(list, value)])

    return (lambda value: [writer(item) for item in value]), read


def _optional_codec(kind: Any) -> tuple[_Converter, _Converter]:
    writer, reader = _codec(kind)
    return (
        lambda value: None if value is None else writer(value),
        lambda value: None if value is None else reader(value),
    )


def _of(kind: type[_Value], value: Any) -> _Value:
    if type(value) is not kind:
        raise ValueError(f"{kind.__name__} expected, not {type(value).__name__}")
    return value


def _finite(value: Any) -> float:
    if not math.isfinite(_of(float, value)):
        raise ValueError("a finite number expected")
    return float(value)


def _fraction(value: Any) -> Fraction:
    numerator, denominator = _of(list, value)
    if _of(int, denominator) <= 0:
        raise ValueError("a denominator above 0 expected")
    return Fraction(_of(int, numerator), denominator)


def _path(value: Any) -> Path:
    return Path(_of(str, value))


def _pure_path(value: Any) -> PurePath:
    flavour, text = _of(list, value)
    if flavour not in _FLAVOURS:
        raise ValueError("a kind of path expected")
    return _FLAVOURS[flavour](_of(str, text))


def _written_pure_path(path: PurePath) -> list[str]:
    return ["windows" if isinstance(path, PureWindowsPath) else "posix", str(path)]


def _same(value: Any) -> Any:
    return value


_SIMPLE: dict[Any, tuple[_Converter, _Converter]] = {
    str: (_same, lambda value: _of(str, value)),
    int: (int, lambda value: _of(int, value)),
    bool: (_same, lambda value: _of(bool, value)),
    float: (float, _finite),
    Fraction: (lambda value: [value.numerator, value.denominator], _fraction),
    Path: (str, _path),
    PurePath: (_written_pure_path, _pure_path),
}
