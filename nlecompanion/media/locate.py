"""From what documents call a media file to the file itself, and back to a URL.

Documents hold `file://localhost/C%3a/…`, `file:///C%3a/…`, `file://C:/…`, `file://server/share/…`,
plain and relative paths; percent-encoded or not, so that `#`, `?` and `%` may stand for
themselves; in NFC where the disk has NFD, and the other way round.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from urllib.parse import quote, unquote_to_bytes

from nlecompanion.errors import MediaOffline, MediaRefused

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.\-]+):")
_DRIVE = re.compile(r"^/*[A-Za-z](?::|%3[aA]|\|)(?=[/\\]|$)")
#: Words before a colon that ffmpeg, or whoever reads the path next, would take for a protocol.
_PROTOCOLS = re.compile(
    r"(async|bluray|cache|concat|concatf|crypto|data|fd|ftp|gopher|gophers|hls|http|httppro"
    r"xy|https|ipfs|ipns|lavfi|mmsh|mmst|pipe|rtmp|rtmpe|rtmps|rtmpt|rtp|rtsp|sctp|sftp|smb"
    r"|srt|srtp|subfile|tcp|tee|tls|udp|udplite|unix|zmq)$",
    re.IGNORECASE,
)
_MAX_PLACES_TOLD = 4
_MAX_URL_CHARACTERS = 32_768


def local_path(
    url: str,
    document: Path,
    path_map: Sequence[tuple[str, str]] = (),
    roots: Sequence[Path] = (),
) -> Path:
    """The existing regular file that `url`, as it stands in `document`, means.

    `path_map` pairs (prefix as the editor sees it, prefix here); with `roots`, the file must lie
    below one of them once links are resolved.

    Raises:
        MediaOffline: nothing is there; says where it was looked for.
        MediaRefused: a network address, a protocol, a pipe, device or folder, or outside `roots`.
    """
    _refuse_protocols(url)
    looked: list[Path] = []
    for place in _places(url, document, path_map):
        if place in looked:
            continue
        looked.append(place)
        found = _on_disk(place)
        if found is not None:
            return _checked(found, roots)
    if not looked:
        raise MediaOffline(
            f"{_shown(url) or 'A clip without a media path'} is not a path on this machine. "
            "Map its drive or share to a local folder (--map or path_map), or relink it."
        )
    places = "; ".join(_shown(str(place)) for place in looked[:_MAX_PLACES_TOLD])
    raise MediaOffline(
        f"{_shown(looked[0].name)} is offline. Looked at {places}. Mount its drive, relink the "
        "clip, or map the editor's folder to a local one (--map or path_map)."
    )


def url_from_path(path: Path, localhost: bool = False) -> str:
    """`path` as a percent-encoded `file:///` URL (`file://localhost/` as Premiere writes it)."""
    absolute = path.absolute()
    text = absolute.as_posix()
    host = "localhost" if localhost else ""
    if os.name == "nt" and text.startswith("//"):
        host, _, text = text[2:].partition("/")
        text = f"/{text}"
    drive = ""
    if os.name == "nt" and _DRIVE.match(text):
        drive, text = f"/{text[:2]}", text[2:]
    return f"file://{host}{drive}{quote(os.fsencode(text))}"


def editor_path(path: Path, path_map: Sequence[tuple[str, str]] = ()) -> PurePath:
    """`path` as the editor sees it: `local_path`'s map the other way round.

    Below a mapped folder it is the editor's own path (`D:/Media/…`, `//server/share/…`,
    `/Volumes/…`), else the path as it is here.
    """
    for prefix, target in path_map:
        local = Path(target).absolute()
        if path.is_relative_to(local) and path != local:
            plain = _slashes(prefix)
            windows = _DRIVE.match(plain) is not None or plain.startswith("//")
            kind = PureWindowsPath if windows else PurePosixPath
            return kind(plain, *path.relative_to(local).parts)
    return path


def _refuse_protocols(url: str) -> None:
    if len(url) > _MAX_URL_CHARACTERS or "\0" in url:
        raise MediaRefused(
            f"The media path {_shown(url[:80])!r}… cannot be a path. Relink the clip."
        )
    scheme = _SCHEME.match(url)
    if scheme is None or scheme[1].lower() == "file":
        return
    if _PROTOCOLS.match(scheme[1]) or url[scheme.end() :].startswith("//"):
        raise MediaRefused(
            f"{_shown(url)} is not a local file, and nothing else is opened. "
            "Copy the media to a local disk and relink the clip."
        )


def _shown(text: str) -> str:
    """A name fit for one line of a message."""
    plain = text.encode("utf-8", "replace").decode("utf-8")
    line = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in plain
    )
    return line if len(line) <= 200 else f"{line[:100]}…{line[-80:]}"


def _places(url: str, document: Path, path_map: Sequence[tuple[str, str]]) -> Iterator[Path]:
    """Where the file may lie, the likeliest first."""
    texts = list(dict.fromkeys(readings(url)))
    for text in texts:
        for prefix, target in path_map:
            mapped = _mapped(text, prefix, target)
            if mapped is not None:
                yield mapped
    for text in texts:
        yield from _literal_places(text, document)


def readings(url: str) -> Iterator[str]:
    """What a media URL may mean as a path: it is decoded first, a plain path taken as it is."""
    is_url = url[:5].lower() == "file:"
    plain = _without_host(url[5:]) if is_url else url
    decoded = list(_decoded(plain))
    yield from (*decoded, plain) if is_url else (plain, *decoded)
    for text in decoded:
        # Some exporters encode twice: `%2520`.
        yield from _decoded(text)


def _without_host(rest: str) -> str:
    """The path of a file URL; another machine's name stays as `//server/share`."""
    if not rest.startswith("//"):
        return rest
    host, slash, path = rest[2:].partition("/")
    if host.lower() in ("", "localhost", "127.0.0.1"):
        return slash + path
    if _DRIVE.match(host) or host in (".", ".."):
        return host + slash + path
    return rest


def _decoded(text: str) -> Iterator[str]:
    if "%" not in text:
        yield text
        return
    raw = unquote_to_bytes(os.fsencode(text))
    if b"\0" in raw:
        return
    yield os.fsdecode(raw)
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        # Old Windows exporters encode the bytes of their code page.
        yield raw.decode("cp1252", "replace")


def _literal_places(text: str, document: Path) -> Iterator[Path]:
    """The path itself, if it can be one on this system; relative ones beside the document."""
    foreign = _DRIVE.match(text) is not None or text.startswith("\\\\")
    if os.name == "nt" and foreign:
        yield Path(_slashes(text).replace("|", ":", 1))
        return
    whole = document.absolute()
    # The paths of a bundle count from inside of it.
    bases = (whole, whole.parent) if whole.is_dir() else (whole.parent,)
    for base in bases:
        if text and not (foreign and not text.startswith("/")):
            yield base / text
        if "\\" in text and not foreign:
            yield base / text.replace("\\", "/")


def _slashes(text: str) -> str:
    """Forward slashes, no slash before a drive letter, no doubled ones but a share's."""
    text = text.replace("\\", "/")
    if _DRIVE.match(text):
        text = text.lstrip("/")
    share = text.startswith("//")
    return ("/" if share else "") + re.sub(r"/+", "/", text)


@dataclass(frozen=True, slots=True)
class _EditorPath:
    """A path as the editor's machine sees it, cut into comparable parts."""

    parts: tuple[str, ...]
    compared: tuple[str, ...]


def _editor_path(text: str) -> _EditorPath:
    plain = _slashes(text)
    windows = _DRIVE.match(plain) is not None or plain.startswith("//")
    anchor = "//" if plain.startswith("//") else "/" if plain.startswith("/") else ""
    parts = tuple(part for part in (anchor, *plain.split("/")) if part)
    compared = tuple(unicodedata.normalize("NFC", part) for part in parts)
    return _EditorPath(parts, tuple(p.casefold() for p in compared) if windows else compared)


def _mapped(text: str, prefix: str, target: str) -> Path | None:
    if prefix[:5].lower() == "file:":
        prefix = next(readings(prefix))
    wanted, given = _editor_path(prefix), _editor_path(text)
    length = len(wanted.parts)
    if not length or given.compared[:length] != wanted.compared:
        return None
    return Path(target).expanduser().absolute().joinpath(*given.parts[length:])


def _on_disk(path: Path) -> Path | None:
    """The path as the disk spells it, None where nothing is there."""
    return path if _exists(path) else _spelled_as_on_disk(path)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        # A name that is too long or no name at all cannot be there.
        return False


def _spelled_as_on_disk(path: Path) -> Path | None:
    """Follows the path name by name, taking names that differ in Unicode normal form only."""
    here = Path(path.anchor)
    for part in path.parts[1:]:
        if _exists(here / part):
            here = here / part
            continue
        wanted = unicodedata.normalize("NFC", part)
        try:
            names = sorted(entry.name for entry in here.iterdir())
        except OSError:
            return None
        same = [name for name in names if unicodedata.normalize("NFC", name) == wanted]
        if not same:
            return None
        here = here / same[0]
    return here


def _checked(path: Path, roots: Sequence[Path]) -> Path:
    """The path, if it leads to a regular file below one of the roots."""
    try:
        resolved = path.resolve(strict=True)
        mode = resolved.stat().st_mode
    except (OSError, RuntimeError) as error:
        raise MediaOffline(
            f"{_shown(str(path))} cannot be reached: {error}. Check the link or the rights."
        ) from error
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, socket or device"
        raise MediaRefused(
            f"{_shown(str(path))} is {kind}, not a media file. Relink the clip to a file."
        )
    if roots and not any(resolved.is_relative_to(root.resolve()) for root in roots):
        allowed = ", ".join(_shown(str(root)) for root in roots)
        raise MediaRefused(
            f"{_shown(str(resolved))} lies outside the folders that may be read ({allowed}). "
            "Add its folder to media_roots, or relink the clip."
        )
    return path
