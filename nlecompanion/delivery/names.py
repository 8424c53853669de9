"""File names that every file system takes and every editor shows."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container

# Forbidden on Windows and macOS; slashes everywhere; controls and direction marks confuse people.
_UNSAFE = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]')
_RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)$", re.IGNORECASE)
MAX_BYTES = 120


def safe_stem(text: str) -> str:
    """`text` as a file name without suffix, at most 120 bytes of UTF-8, never empty."""
    stem = _UNSAFE.sub("_", unicodedata.normalize("NFC", text)).strip(" .")
    while len(stem.encode("utf-8", "replace")) > MAX_BYTES:
        stem = stem[:-1].rstrip(" .")
    stem = "".join("_" if "\ud800" <= c <= "\udfff" else c for c in stem)
    if not stem or _RESERVED.match(stem):
        stem = f"clip {stem}".strip()
    return stem


def unique_name(stem: str, suffix: str, taken: Container[str]) -> str:
    """`STEM.suffix`, or the first of `STEM 2.suffix` … that is not taken, whatever the case."""
    number = 1
    while True:
        name = f"{stem}{suffix}" if number == 1 else f"{stem} {number}{suffix}"
        if name.casefold() not in taken:
            return name
        number += 1
