"""Media that lie inside of a document (an AAF with embedded essence), taken out before the work.

Their URLs are relative paths below `ESSENCE`, as the adapter made them; an adapter that makes such
URLs has a method `essence(document, url, folder)`, which puts the file there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from nlecompanion.errors import MediaError
from nlecompanion.plugins import adapter_for

logger = logging.getLogger(__name__)

#: What the URL of media inside of a document begins with.
ESSENCE = "embedded-essence/"
#: An OLE compound file, such as an AAF ([MS-CFB] 2.2).
_COMPOUND = bytes.fromhex("d0cf11e0a1b11ae1")


def may_hold_essence(document: Path) -> bool:
    """Whether the file is of a kind that can hold media: a compound file."""
    if not document.is_file():
        return False
    with document.open("rb") as file:
        return file.read(len(_COMPOUND)) == _COMPOUND


def extract_essence(document: Path, urls: Iterable[str], folder: Path) -> None:
    """Puts the media that these URLs mean below `folder`; other URLs are passed over.

    What is damaged is left out, and so is offline to whoever looks for it.

    Raises:
        DocumentError: the document cannot be read.
        OSError: `folder` cannot be written.
    """
    inside = sorted({url for url in urls if url.startswith(ESSENCE)})
    extract = getattr(adapter_for(document), "essence", None) if inside else None
    if extract is not None:
        for url in inside:
            try:
                extract(document, url, folder)
            except MediaError as error:
                logger.warning("%s was not taken out: %s", url, error)
