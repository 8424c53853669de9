"""Media inside a zip bundle are taken out before they are looked at, those alone that are used."""

from __future__ import annotations

import posixpath
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nlecompanion.archive import open_archive, unpack
from nlecompanion.errors import UnsafeDocument
from nlecompanion.isolation import ChildEnded, Isolation, Limits
from nlecompanion.media.essence import extract_essence, may_hold_essence
from nlecompanion.media.locate import readings

_MEMORY_BYTES = 1 << 30
#: A slow disk; the size is checked against the archive's own before.
_BYTES_PER_S = 5_000_000


def unpack_media(document: Path, urls: Iterable[str], folder: Path, isolation: Isolation) -> None:
    """Puts the media that these URLs mean inside of the zip bundle below `folder`.

    URLs that mean nothing inside of it are passed over: they may lead elsewhere.

    Raises:
        DocumentError: the bundle is damaged or unsafe.
        OSError: `folder` cannot be written.
    """
    seconds = 60 + document.stat().st_size / _BYTES_PER_S
    arguments = {"document": str(document), "urls": sorted(set(urls)), "folder": str(folder)}
    try:
        isolation.ask("unpack", arguments, Limits(_MEMORY_BYTES, seconds, 10 * seconds))
    except ChildEnded as error:
        raise UnsafeDocument(f"{document.name} {error}. Export the bundle again.") from error


def unpack_here(arguments: dict[str, Any]) -> None:
    """In the child: takes the members out."""
    if may_hold_essence(Path(arguments["document"])):
        extract_essence(Path(arguments["document"]), arguments["urls"], Path(arguments["folder"]))
        return
    with open_archive(Path(arguments["document"])) as archive:
        names = {_plain(m.filename): m.filename for m in archive.infolist() if not m.is_dir()}
        wanted = {
            names[plain]
            for url in arguments["urls"]
            for plain in map(_plain, readings(url))
            if plain in names
        }
        unpack(archive, sorted(wanted), Path(arguments["folder"]))


def _plain(path: str) -> str:
    """A relative path as it is compared: `./Media/a.wav` is `Media/a.wav`."""
    return unicodedata.normalize("NFC", posixpath.normpath(path.replace("\\", "/")))
