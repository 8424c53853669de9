"""Which names in an inbox are documents, and how names are shown and given."""

from __future__ import annotations

import re
from fnmatch import translate
from pathlib import PurePath

# Names under which a file is not finished, or that systems and editors leave behind. Whatever
# begins with a dot is hidden and left out as well: .DS_Store, ._x (AppleDouble), .~lock.x#
# (LibreOffice), .#x (Emacs), .syncthing.x.tmp, .nfs000…, .smbdelete….
_TEMPORARY_GLOBS = (
    "~$*",  # Microsoft Office
    "~syncthing~*.tmp",
    "*.tmp",
    "*.temp",
    "*.part",  # Firefox, KDE
    "*.partial",
    "*.crdownload",  # Chromium
    "*.download",  # Safari
    "*.opdownload",  # Opera
    "*.filepart",  # WinSCP
    "*.!sync",
    "*.swp",
    "*.swo",
    "*.swx",
    "*~",
    "#*#",
    "*.sb-????????-??????",  # macOS safe save
    "*.lock",
    "*.lck",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "icon\r",
)
_TEMPORARY = re.compile("|".join(translate(glob) for glob in _TEMPORARY_GLOBS))
_SYSTEM_FOLDERS = frozenset(
    {
        "@eadir",  # Synology
        "@tmp",
        "@recycle",  # QNAP
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        "__macosx",
    }
)
#: Media may lie beside the document that refers to it; it is never a job of its own.
_MEDIA = re.compile(
    r"\.(wav|bwf|w64|rf64|aiff?|caf|flac|mp3|m4a|aac|og[ga]|opus|wma|e?ac3"
    r"|mov|mp4|m4v|mxf|avi|mkv|webm|mpe?g|m?ts|m2ts|wmv|braw|r3d|ari"
    r"|dng|exr|dpx|png|jpe?g|tiff?|pek|cfa|pkf|sfk|reapeaks)$",
    re.IGNORECASE,
)
#: A script (see `delivery/script.py`) or a profile beside a document: read with it, no job itself.
_COMPANION = re.compile(r"\.(srt|vtt|ass|toml)$", re.IGNORECASE)
#: Folders that are one document.
BUNDLES = frozenset({".fcpxmld", ".otiod"})

_WINDOWS_DEVICES = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)}
)
#: File systems allow 255 bytes a name; this leaves room for numbers and suffixes.
_MAX_NAME_BYTES = 150


def is_temporary(name: str) -> bool:
    """Whether a file or folder of that name is hidden, unfinished or somebody's litter."""
    folded = name.casefold()
    return (
        folded.startswith(".") or folded in _SYSTEM_FOLDERS or _TEMPORARY.match(folded) is not None
    )


def is_bundle(name: str) -> bool:
    """Whether a folder of that name is one document."""
    return PurePath(name).suffix.casefold() in BUNDLES


def is_media(name: str) -> bool:
    """Whether the name is one of sound, picture or an editor's peak file."""
    return _MEDIA.search(name) is not None


def is_companion(name: str) -> bool:
    """Whether the name is one of a file that is read together with a document beside it."""
    return _COMPANION.search(name) is not None


def shown(name: object) -> str:
    """A name as it may stand in a line for a person: no line breaks, no hidden characters."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in str(name)
    )


def delivery_name(document_name: str) -> str:
    """A folder name for the delivery of that document which every file system takes."""
    stem = PurePath(document_name).stem
    safe = "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in stem)
    safe = safe.encode()[:_MAX_NAME_BYTES].decode(errors="ignore").strip(" .") or "timeline"
    return f"_{safe}" if safe.casefold() in _WINDOWS_DEVICES else safe
