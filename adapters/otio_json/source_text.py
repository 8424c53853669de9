"""The document as text: guarded before anything parses it, and edited without touching the rest.

An edit replaces a stretch of the original text. What no edit names stays as it was, character by
character: number spellings, key order, white space.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any

from nlecompanion.errors import NotATimeline, UnsafeDocument

#: A 10,000-clip document has about 30 MiB; a tree takes some ten times its text in memory.
MAX_BYTES = 256 * 2**20
#: Real documents nest to about 30; the OpenTimelineIO library crashes natively at 20,000.
MAX_DEPTH = 400

_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TOKEN = re.compile(rf"{_STRING}|[\[\]{{}}]", re.DOTALL)
_STRING_BYTES = re.compile(_STRING.encode(), re.DOTALL)
_SCALAR = re.compile(rf"{_STRING}|[^\s,\]}}]+", re.DOTALL)
_SPACE = re.compile(r"[ \t\r\n]*")
_LIBRARY_INFINITY = re.compile(rf"({_STRING})|\bInf\b", re.DOTALL)
_BOM = "\ufeff"


def decode(data: bytes, name: str) -> str:
    """The document's text, found safe to parse.

    Raises:
        NotATimeline: empty, or not UTF-8 text.
        UnsafeDocument: larger than `MAX_BYTES` or nested deeper than `MAX_DEPTH`.
    """
    if not data.strip():
        raise NotATimeline(f"{name} is empty. Export the timeline again.")
    check_size(len(data), name)
    depth = _depth(data)
    if depth > MAX_DEPTH:
        raise UnsafeDocument(
            f"{name} is nested {depth} levels deep; the limit is {MAX_DEPTH}. "
            f"Export the timeline again without nested sequences."
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotATimeline(
            f"{name} is not UTF-8 text (byte {error.start}). Export the timeline again as .otio."
        ) from error


def check_size(size_bytes: int, name: str) -> None:
    """Refuses a document before it is read into memory.

    Raises:
        UnsafeDocument: larger than `MAX_BYTES`.
    """
    if size_bytes > MAX_BYTES:
        raise UnsafeDocument(
            f"{name} has {size_bytes / 2**20:.0f} MiB; the limit is {MAX_BYTES // 2**20} MiB. "
            f"Export a shorter timeline."
        )


def _depth(data: bytes) -> int:
    """How deep brackets nest outside of strings."""
    other = bytes(set(range(256)) - set(b"[]{}"))
    depth = deepest = 0
    for bracket in _STRING_BYTES.sub(b"", data).translate(None, other):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def parse(text: str, name: str) -> Any:
    """The JSON tree. Integers are exact; `Inf`, as the library writes it, is understood.

    Raises:
        NotATimeline: not JSON, or cut off.
    """
    text = text.removeprefix(_BOM)
    if "Inf" in text:
        text = _LIBRARY_INFINITY.sub(lambda match: match[1] or "Infinity", text)
    try:
        return json.loads(text, object_pairs_hook=_unrepeated)
    except _RepeatedKey as error:
        raise UnsafeDocument(
            f"{name} has an object with two members {error.args[0][:60]!r}, of which programs see "
            f"different ones. Export the timeline again."
        ) from error
    except json.JSONDecodeError as error:
        cut_off = error.pos >= len(text.rstrip()) or "Unterminated" in error.msg
        what = "ends too early" if cut_off else "is not JSON"
        raise NotATimeline(
            f"{name} {what} (line {error.lineno}, column {error.colno}: {error.msg}). "
            f"Wait until it is written whole, or export the timeline again."
        ) from error
    except (ValueError, RecursionError) as error:  # thousands of digits; a tiny stack
        raise UnsafeDocument(f"{name} cannot be parsed safely: {error}.") from error


class _RepeatedKey(Exception):
    """An object with two members of one name."""


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object; repeated keys have made the OpenTimelineIO library crash natively."""
    members = dict(pairs)
    if len(members) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKey(next(key for key in keys if keys.count(key) > 1))
    return members


@dataclass(frozen=True, slots=True)
class Style:
    """How the document writes JSON, so that additions look like the rest."""

    indent: str | None
    colon: str
    comma: str
    newline: str
    ascii_only: bool

    @classmethod
    def of(cls, text: str) -> Style:
        """The style of a document; four spaces where it does not show one."""
        first = re.search(r"[\[{](\r?\n)([ \t]+)\S", text)
        one_line = first is None and len(text) > 2
        return cls(
            indent=None if one_line else (first[2] if first else "    "),
            colon=": " if '": ' in text or not one_line else ":",
            comma="," if not one_line or ', "' not in text else ", ",
            newline=first[1] if first else "\n",
            ascii_only=text.isascii(),
        )

    def dump(self, value: object, prefix: str) -> str:
        """`value` as JSON whose lines after the first begin with `prefix`."""
        dumped = self._dumps(value, prefix, self.ascii_only)
        try:
            dumped.encode()
        except UnicodeEncodeError:  # half of a surrogate pair: only an escape can write it
            dumped = self._dumps(value, prefix, True)
        return dumped

    def _dumps(self, value: object, prefix: str, ascii_only: bool) -> str:
        if self.indent is None:
            return json.dumps(value, ensure_ascii=ascii_only, separators=(self.comma, self.colon))
        parts: list[str] = []
        self._write(value, self.newline + prefix, ascii_only, parts)
        return "".join(parts)

    def _write(self, value: object, margin: str, ascii_only: bool, parts: list[str]) -> None:
        """As `json.dumps` with an indent, which is written in Python there, and slower."""
        if isinstance(value, str):
            parts.append(encode_basestring_ascii(value) if ascii_only else encode_basestring(value))
        elif isinstance(value, dict | list) and value:
            inner = margin + (self.indent or "")
            start = "{" if isinstance(value, dict) else "["
            for entry in value:
                parts += (start, inner)
                start = self.comma
                if isinstance(value, dict):
                    self._write(entry, inner, ascii_only, parts)
                    parts.append(self.colon)
                    self._write(value[entry], inner, ascii_only, parts)
                else:
                    self._write(entry, inner, ascii_only, parts)
            parts += (margin, "}" if isinstance(value, dict) else "]")
        elif type(value) is int or (type(value) is float and math.isfinite(value)):
            parts.append(repr(value))
        else:
            parts.append(json.dumps(value))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands in the text; `lead` is the white space before its member or element."""

    start: int
    end: int
    lead: str


class SourceText:
    """A JSON text with the places of its values, and the edits that are to be made."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.style = Style.of(text)
        self._closers = _closers(text)
        self._edits: list[tuple[int, int, str]] = []

    def root(self) -> Place:
        """The whole value."""
        start = _skip(self.text, len(_BOM) if self.text.startswith(_BOM) else 0)
        return Place(start, self._value_end(start), "")

    def members(self, place: Place) -> dict[str, Place]:
        """The values of the object at `place` by key."""
        members: dict[str, Place] = {}
        for lead, start in self._entries(place):
            key_end = self._value_end(start)
            value = _skip(self.text, _skip(self.text, key_end) + 1)
            key = self.text[start + 1 : key_end - 1]
            if "\\" in key:
                key = json.loads(f'"{key}"')
            members[key] = Place(value, self._value_end(value), lead)
        return members

    def elements(self, place: Place) -> list[Place]:
        """The elements of the array at `place`."""
        return [Place(start, self._value_end(start), lead) for lead, start in self._entries(place)]

    def _entries(self, place: Place) -> Iterator[tuple[str, int]]:
        """White space before, and start of, each member or element."""
        position = place.start + 1
        while True:
            start = _skip(self.text, position)
            if start >= place.end - 1:
                return
            yield self.text[position:start], start
            end = self._value_end(start)
            following = _skip(self.text, end)
            if self.text[following] == ":":
                following = _skip(self.text, self._value_end(_skip(self.text, following + 1)))
            position = following + 1

    def _value_end(self, start: int) -> int:
        if self.text[start] in "[{":
            return self._closers[start] + 1
        match = _SCALAR.match(self.text, start)
        return start if match is None else match.end()

    def replace(self, place: Place, value: object) -> None:
        """Writes `value` in the place of what stands there."""
        self._edits.append((place.start, place.end, self.style.dump(value, self._prefix(place))))

    def add_member(self, place: Place, key: str, value: object) -> None:
        """Adds a member at the end of the object at `place`."""
        self._add(place, list(self.members(place).values()), value, f"{json.dumps(key)}")

    def add_elements(self, place: Place, values: Sequence[object]) -> None:
        """Adds elements at the end of the array at `place`."""
        existing = self.elements(place)
        if existing or not values:
            for value in values:
                self._add(place, existing, value, None)
        else:
            self.replace(place, list(values))

    def _add(self, place: Place, existing: list[Place], value: object, key: str | None) -> None:
        label = "" if key is None else key + self.style.colon
        if existing:
            last = existing[-1]
            prefix = last.lead.rpartition("\n")[2] if "\n" in last.lead else ""
            dumped = self.style.dump(value, prefix)
            comma = "," if last.lead else self.style.comma
            self._edits.append((last.end, last.end, f"{comma}{last.lead}{label}{dumped}"))
        else:
            dumped = self.style.dump(value, self._prefix(place))
            self._edits.append((place.start + 1, place.start + 1, label + dumped))

    def _prefix(self, place: Place) -> str:
        """The white space that the line of `place` begins with."""
        line = self.text.rfind("\n", 0, place.start) + 1
        match = _SPACE.match(self.text, line)
        return "" if match is None else match[0].rstrip("\r\n")

    def edited(self) -> str:
        """The text with all edits made; those at one place in the order they were asked for."""
        parts: list[str] = []
        position = 0
        for start, end, replacement in sorted(self._edits, key=lambda edit: edit[0]):
            parts += (self.text[position:start], replacement)
            position = end
        parts.append(self.text[position:])
        return "".join(parts)


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return position if match is None else match.end()


def _closers(text: str) -> dict[int, int]:
    """For each opening bracket outside of strings, where it closes; the text is valid JSON."""
    closers: dict[int, int] = {}
    opened: list[int] = []
    for match in _TOKEN.finditer(text):
        position = match.start()
        bracket = text[position]
        if bracket in "[{":
            opened.append(position)
        elif bracket != '"':
            closers[opened.pop()] = position
    return closers
