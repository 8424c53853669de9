"""OTIO's file bundles: `.otioz` (zip) and `.otiod` (folder), `content.otio` beside its media.

A bundle is handed back as a bundle with all its media, byte for byte: its paths count from inside,
so that anything lighter (an `.otio`, links to the dropped bundle) would have to rewrite the paths
of clips that are not ours, and come offline once the dropped bundle moves.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from nlecompanion.archive import copy_with, is_archive, open_archive, read_member
from nlecompanion.errors import DocumentError, NotATimeline
from nlecompanion.model import Loss

from .source_text import MAX_BYTES, check_size

CONTENT = "content.otio"


def content_of(path: Path) -> bytes:
    """The document's text, refused before it is read into memory where it is too large.

    Raises:
        DocumentError: it cannot be read, is too large, or a bundle that is damaged or unsafe.
    """
    if is_archive(path):
        with open_archive(path) as archive:
            try:
                return read_member(archive, CONTENT, MAX_BYTES)
            except KeyError as error:
                raise NotATimeline(
                    f"{path.name} is a zip file without {CONTENT}. Export it as .otioz again."
                ) from error
    file = path / CONTENT if path.is_dir() else path
    if not file.is_file():
        raise NotATimeline(f"{path.name} is not a file. Drop the exported timeline itself.")
    try:
        check_size(file.stat().st_size, path.name)
        return file.read_bytes()
    except OSError as error:
        raise DocumentError(
            f"{path.name} cannot be read: {error.strerror}. Give read permission and try again."
        ) from error


def write_like(path: Path, content: bytes, target: Path) -> tuple[Loss, ...]:
    """A copy of the document at `path` with this content: a file, a zip, or a folder.

    Links in a folder are not followed, as they may lead anywhere: each is a loss.
    """
    if is_archive(path):
        with open_archive(path) as archive:
            copy_with(archive, CONTENT, content, target)
        return ()
    if not path.is_dir():
        target.write_bytes(content)
        return ()
    losses = _copy_rest(path, target)
    (target / CONTENT).write_bytes(content)
    return tuple(losses)


def _copy_rest(path: Path, target: Path) -> list[Loss]:
    losses: list[Loss] = []
    target.mkdir(exist_ok=True)
    for item in sorted(path.rglob("*")):
        inside = item.relative_to(path)
        if inside == Path(CONTENT):
            continue
        if item.is_symlink() or not (item.is_dir() or item.is_file()):
            losses.append(Loss(str(inside), "a link or no regular file, so it was not copied"))
        elif item.is_dir():
            (target / inside).mkdir(exist_ok=True)
        else:
            shutil.copy2(item, target / inside)
    return losses
