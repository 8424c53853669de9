"""Where the weights of engines live, and how a file of them gets there whole or not at all."""

from __future__ import annotations

import hashlib
import os
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from http.client import HTTPException
from pathlib import Path
from typing import IO
from uuid import uuid4

from nlecompanion.errors import EngineError

#: Environment variable that moves the weights' folder.
FOLDER_VARIABLE = "NLECOMPANION_WEIGHTS"
_CHUNK_BYTES = 1 << 20
_TIMEOUT_S = 60.0

#: Opens a URL for reading, like `urllib.request.urlopen` with a timeout.
Opener = Callable[[str], AbstractContextManager[IO[bytes]]]


def weights_folder(engine: str) -> Path:
    """The folder of one engine's weights; it need not exist."""
    root = os.environ.get(FOLDER_VARIABLE)
    if root:
        return Path(root).expanduser() / engine
    from platformdirs import user_data_path

    return user_data_path("nlecompanion", appauthor=False) / "weights" / engine


def fetch_command(engine: str) -> str:
    """What a person types to fetch the weights."""
    return f"nlecompanion engines get {engine}"


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in lower-case hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_sha256(path: Path, sha256: str) -> None:
    """Refuses a file with other contents.

    Raises:
        EngineError: with both sums.
    """
    actual = sha256_of(path)
    if actual != sha256.lower():
        raise EngineError(
            f"{path.name} is damaged or another version: its SHA-256 is {actual[:16]}…, "
            f"expected {sha256[:16].lower()}…. Delete it and fetch it again."
        )


def _open_url(url: str) -> AbstractContextManager[IO[bytes]]:
    if not url.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
        raise EngineError(f"Weights are fetched over https only, not from {url}.")
    opened: AbstractContextManager[IO[bytes]] = urllib.request.urlopen(url, timeout=_TIMEOUT_S)
    return opened


def fetch_file(url: str, target: Path, sha256: str, opener: Opener = _open_url) -> None:
    """Downloads `url` to `target`: staged beside it, verified, synced, renamed.

    Raises:
        EngineError: no connection, an error from the server, no space, or other contents than
            expected. Nothing is left behind, and a file that stood at `target` still does.
    """
    staged = target.with_name(f".{target.name}.{uuid4().hex}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with opener(url) as source, staged.open("xb") as file:
                while chunk := source.read(_CHUNK_BYTES):
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            require_sha256(staged, sha256)
            staged.replace(target)
        finally:
            staged.unlink(missing_ok=True)
    except (OSError, HTTPException) as error:
        raise EngineError(
            f"Could not fetch {target.name} from {url}: {error}. "
            f"Check the connection and the space in {target.parent}, then try again."
        ) from error
