"""Our frozen types as JSON values and back, strictly: what comes from a child is outside data.

A dataclass is the list of its fields' values, a fraction two integers, a path its text, an array
its shape and its bytes. Only the types that such values are made of are known; nothing is ever
created by a name in the data.
"""

from __future__ import annotations

import base64
import binascii
import math
import types
import typing
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any, TypeAlias, TypeVar

import numpy as np

#: Values that JSON has already: they travel as they are.
Json: TypeAlias = "str | int | float | bool | list[Any] | dict[str, Any] | None"

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
    if origin is tuple and arguments:
        return _row_codec(arguments)
    if origin is np.ndarray:
        return _array_codec(np.dtype(typing.get_args(arguments[1])[0]))
    if kind == _JSON:
        return _same, _json
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


def _row_codec(kinds: tuple[Any, ...]) -> tuple[_Converter, _Converter]:
    """A tuple of fixed length."""
    codecs = [_codec(kind) for kind in kinds]

    def write(value: Any) -> list[Any]:
        return [writer(item) for item, (writer, _) in zip(value, codecs, strict=True)]

    def read(value: Any) -> tuple[Any, ...]:
        pairs = zip(_of(list, value), codecs, strict=True)
        return tuple([reader(item) for item, (_, reader) in pairs])

    return write, read


def _array_codec(dtype: np.dtype[Any]) -> tuple[_Converter, _Converter]:
    """Little-endian bytes in base64, behind the shape."""
    order = dtype.newbyteorder("<")

    def write(value: Any) -> list[Any]:
        held = np.ascontiguousarray(value, order)
        return [list(value.shape), base64.b64encode(held.tobytes()).decode("ascii")]

    def read(value: Any) -> Any:
        shape, text = _of(list, value)
        sizes = [_of(int, size) for size in _of(list, shape)]
        try:
            content = base64.b64decode(_of(str, text), validate=True)
        except binascii.Error as error:
            raise ValueError(f"an array's bytes expected: {error}") from error
        if min(sizes, default=0) < 0 or math.prod(sizes) * order.itemsize != len(content):
            raise ValueError(f"{len(content)} bytes are no array of shape {sizes}")
        return np.frombuffer(content, order).astype(dtype).reshape(sizes)

    return write, read


def _json(value: Any) -> Any:
    """JSON values, every number in them finite."""
    if isinstance(value, list):
        return [_json(item) for item in value]
    if isinstance(value, dict):
        return {_of(str, key): _json(item) for key, item in value.items()}
    if isinstance(value, float):
        return _finite(value)
    if value is None or isinstance(value, str | int):
        return value
    raise ValueError(f"{type(value).__name__} is no JSON value")


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


_JSON = str | int | float | bool | list[Any] | dict[str, Any] | None

_SIMPLE: dict[Any, tuple[_Converter, _Converter]] = {
    str: (_same, lambda value: _of(str, value)),
    int: (int, lambda value: _of(int, value)),
    bool: (_same, lambda value: _of(bool, value)),
    float: (float, _finite),
    Fraction: (lambda value: [value.numerator, value.denominator], _fraction),
    Path: (str, _path),
    PurePath: (_written_pure_path, _pure_path),
}
