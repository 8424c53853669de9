"""The lines of a project as a tree of blocks, without losing a character.

`<NAME words` opens a block, a lone `>` closes it; everything else is a line of words. Words are
parted by spaces; one that begins with a quote mark (double, single or back quote) runs to the next
mark of its kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nlecompanion.errors import DocumentError, NotATimeline, UnsafeDocument

MAX_BYTES = 256 * 2**20
MAX_DEPTH = 256
#: REAPER's own lines are shorter by far, but for blocks of encoded plug-in state.
_MAX_WORDS_CHARACTERS = 65_536
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|$)")
_QUOTES = "\"'`"


@dataclass(slots=True, eq=False)
class Block:
    """A block: the numbers of its first and last line, and what stands between them in order."""

    first: int
    words: tuple[str, ...]
    last: int = -1
    blocks: list[Block] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """`TRACK`, `ITEM`, `SOURCE`."""
        return self.words[0].upper() if self.words else ""


@dataclass(frozen=True, slots=True)
class Project:
    """A project: its lines with their ends, the first word of each, its root, its encoding."""

    name: str
    lines: tuple[str, ...]
    keys: tuple[str, ...]
    root: Block
    encoding: str
    newline: str

    def words(self, line: int) -> tuple[str, ...]:
        """The words of a line."""
        return split_words(self.lines[line])

    def find(self, block: Block, key: str) -> int | None:
        """The first of the block's own lines that begins with `key`."""
        return next((n for n in block.lines if self.keys[n] == key), None)

    def key(self, line: int) -> str:
        """The first word of a line."""
        return self.keys[line]

    def tracks(self) -> list[Block]:
        """The tracks in their order."""
        return [block for block in self.root.blocks if block.kind == "TRACK"]

    def encode(self, lines: Iterator[str] | list[str]) -> bytes:
        """The lines as bytes, in the project's own encoding."""
        return "".join(lines).encode(self.encoding, "replace")


def open_project(path: Path) -> Project:
    """Reads and parses a file.

    Raises:
        DocumentError: it cannot be read.
        UnsafeDocument: too large or too deep.
        NotATimeline: not a project, or cut off.
    """
    try:
        size_bytes = path.stat().st_size
        if size_bytes > MAX_BYTES:
            raise UnsafeDocument(
                f"{path.name} has {size_bytes / 2**20:.0f} MiB; at most {MAX_BYTES >> 20} MiB are "
                "read. Save a copy with fewer tracks."
            )
        data = path.read_bytes()
    except OSError as error:
        raise DocumentError(
            f"{path.name} cannot be read: {error.strerror}. Check the file and its permissions."
        ) from error
    return parse_project(data, path.name)


def parse_project(data: bytes, name: str) -> Project:
    """Parses a project.

    Raises:
        UnsafeDocument: more than 256 levels.
        NotATimeline: not a project, or cut off.
    """
    if not data.strip(b"\0 \t\r\n"):
        raise NotATimeline(f"{name} is empty. Save the project again.")
    try:
        text, encoding = data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        # Projects of REAPER 3 and older are in the system's code page; Latin-1 keeps every byte.
        text, encoding = data.decode("latin-1"), "latin-1"
    lines = tuple(line for line in _LINE.findall(text) if line)
    newline = "\r\n" if lines[0].endswith("\r\n") else "\r" if lines[0].endswith("\r") else "\n"
    root = _tree(lines, name)
    if "\0" in text:
        raise NotATimeline(f"{name} holds NUL characters: it is damaged. Save the project again.")
    keys = tuple((line[:64].split(None, 1) or [""])[0] for line in lines)
    return Project(name, lines, keys, root, encoding, newline)


def _tree(lines: tuple[str, ...], name: str) -> Block:
    stack: list[Block] = []
    for number, line in enumerate(lines):
        start = line.lstrip("\ufeff \t")
        if start.startswith("<"):
            if len(stack) >= MAX_DEPTH:
                raise UnsafeDocument(
                    f"{name} is nested deeper than {MAX_DEPTH} levels. Save the project again."
                )
            block = Block(number, split_words(start[1:]))
            if not stack and block.kind != "REAPER_PROJECT":
                break
            if stack:
                stack[-1].blocks.append(block)
            stack.append(block)
        elif start.rstrip() == ">" and stack:
            stack[-1].last = number
            done = stack.pop()
            if not stack:
                return done
        elif stack:
            stack[-1].lines.append(number)
        elif start.strip():
            break
    if stack:
        raise NotATimeline(
            f"{name} is cut off: {stack[-1].kind or 'a block'} in line {stack[-1].first + 1} is "
            "never closed. Save the project again."
        )
    raise NotATimeline(f"{name} is not a REAPER project. Save it as .rpp and try again.")


def split_words(line: str) -> tuple[str, ...]:
    """The words of a line, without their quote marks."""
    words = []
    text = line[:_MAX_WORDS_CHARACTERS].strip(" \t\r\n")
    position = 0
    while position < len(text):
        if text[position] in " \t":
            position += 1
            continue
        mark = text[position]
        if mark in _QUOTES:
            end = text.find(mark, position + 1)
            end = len(text) if end < 0 else end
            words.append(text[position + 1 : end])
            position = end + 1
            continue
        end = position
        while end < len(text) and text[end] not in " \t":
            end += 1
        words.append(text[position:end])
        position = end
    return tuple(words)


def quoted(text: str) -> str:
    """A word in quote marks that it does not hold; at worst its back quotes become single ones."""
    plain = re.sub(r"[\x00-\x1f\x7f]+", " ", text)
    for mark in _QUOTES:
        if mark not in plain:
            return f"{mark}{plain}{mark}"
    return "`" + plain.replace("`", "'") + "`"
