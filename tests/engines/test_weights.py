"""Weights come whole or not at all."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nlecompanion.engines.weights import (
    FOLDER_VARIABLE,
    fetch_command,
    fetch_file,
    require_sha256,
    sha256_of,
    weights_folder,
)
from nlecompanion.errors import EngineError

CONTENT = bytes(range(256)) * 9_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class _Files(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/gone":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: len(CONTENT) // 2] if self.path == "/cut" else CONTENT)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Files) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_file_is_fetched_into_a_new_folder(url: str, tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "enc.onnx"
    fetch_file(f"{url}/whole", target, SHA256.upper())
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["enc.onnx"]


@pytest.mark.parametrize(
    ("path", "sha256", "words"),
    [
        ("gone", SHA256, "404"),
        ("cut", SHA256, "SHA-256|IncompleteRead"),
        ("whole", "0" * 64, "SHA-256 is"),
    ],
)
def test_a_failed_fetch_keeps_what_was_there(
    url: str, tmp_path: Path, path: str, sha256: str, words: str
) -> None:
    target = tmp_path / "enc.onnx"
    target.write_bytes(b"old")
    with pytest.raises(EngineError, match=words):
        fetch_file(f"{url}/{path}", target, sha256)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["enc.onnx"]


def test_no_server_and_no_folder_are_named(url: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="Could not fetch"):
        fetch_file("http://127.0.0.1:9/x", tmp_path / "enc.onnx", SHA256)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EngineError, match="Could not fetch"):
        fetch_file(f"{url}/whole", tmp_path / "file" / "enc.onnx", SHA256)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("address", ["http://example.com/x", "file:///etc/passwd", "ftp://a/b"])
def test_only_safe_addresses_are_opened(address: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="over https only"):
        fetch_file(address, tmp_path / "x", SHA256)
    assert list(tmp_path.iterdir()) == []


def test_sums(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(CONTENT)
    assert sha256_of(path) == SHA256
    require_sha256(path, SHA256)
    with pytest.raises(EngineError, match="damaged or another version"):
        require_sha256(path, "1" * 64)


def test_the_folder_follows_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert weights_folder("demucs") == tmp_path / "demucs"
    monkeypatch.delenv(FOLDER_VARIABLE)
    assert weights_folder("demucs").parts[-3:] == ("nlecompanion", "weights", "demucs")
    assert fetch_command("demucs") == "nlecompanion engines get demucs"
