"""Keeps folders out of what others will read: a report may be sent on, a home folder may not."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePath
from urllib.parse import unquote, urlsplit

#: Whatever looks like the folders of an absolute path: POSIX, Windows, UNC or a file URL.
_FOLDERS = re.compile(
    r"(?:file:/{1,3}(?:localhost)?|(?<![\w/.:])[A-Za-z]:(?=[\\/])|\\\\)?"
    r"(?<![\w.<])[\\/](?:[^\\/\s:'\"<>|,;]+[\\/])+"
)


class Veil:
    """Takes the folders out of texts: those that are known, and whatever looks like one."""

    def __init__(self, folders: Iterable[PurePath]) -> None:
        texts = {str(folder) for folder in folders} | {str(Path.home())}
        # "/" alone is no secret, and taking it out would spoil every fraction.
        self._known = sorted((t for t in texts if len(t) > 1), key=lambda t: (-len(t), t))

    def __call__(self, text: str) -> str:
        """The text with file names only."""
        for folder in self._known:
            text = text.replace(f"{folder}/", "").replace(f"{folder}\\", "")
            # A home folder's own name is a person's.
            name = "~" if folder == str(Path.home()) else PurePath(folder).name
            text = text.replace(folder, name)
        return _FOLDERS.sub("", text)


def file_name(url: str) -> str:
    """The file's name in a media URL or path of any system."""
    path = unquote(urlsplit(url).path) if "://" in url else url
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1]
