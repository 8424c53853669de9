"""Room for what lies inside of a zip bundle, as long as a job works on it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nlecompanion.archive import is_archive
from nlecompanion.delivery.staging import reserve
from nlecompanion.media.essence import may_hold_essence


@contextmanager
def room_for(document: Path) -> Iterator[Path | None]:
    """A folder for the media inside a zip bundle or an AAF, taken away at the end; else None.

    It lies in the user's cache, not among temporary files, which may be memory. Its name follows
    from the document, so that one that a killed process left is taken over, and that what is named
    after a media file's path is the same at every run.
    """
    if not is_archive(document) and not may_hold_essence(document):
        yield None
        return
    from platformdirs import user_cache_path

    key = hashlib.sha256(os.fsencode(document.absolute())).hexdigest()[:16]
    staging, _ = reserve(user_cache_path("nlecompanion") / "bundles", key)
    with staging:
        yield staging.folder
