"""Weights are there whole and true, or an error says what to do."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from testkit.shared import shared

from nlecompanion.engines.deepfilternet import factory
from nlecompanion.engines.deepfilternet.factory import FACTORY, SHA256
from nlecompanion.errors import EngineError, WeightsMissing

PAYLOADS = {name: name.encode() * 40_000 for name in SHA256}


class Server(ThreadingHTTPServer):
    """Serves `files` below /some/folder/; cuts answers for names in `cut` short."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = dict(PAYLOADS)
        self.cut: set[str] = set()
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/some/folder"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        folder, _, name = self.path.rpartition("/")
        self.server.asked.append(name)
        content = self.server.files.get(name)
        if folder != "/some/folder" or content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if name in self.server.cut else content)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server() as running:
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv(factory.URL_VARIABLE, running.url + "/")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NLECOMPANION_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights" / "deepfilternet"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files stand for the weights."""
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in PAYLOADS.items()}
    monkeypatch.setattr(factory, "SHA256", sums)


def contents(folder: Path) -> dict[str, bytes]:
    """All files below the folder's parent, hidden ones too."""
    return {path.name: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()}


def test_without_weights_the_command_is_named(folder: Path) -> None:
    state = FACTORY.readiness()
    assert not state.ready
    assert "enc.onnx, erb_dec.onnx, df_dec.onnx" in state.fix
    with pytest.raises(WeightsMissing, match="nlecompanion engines get deepfilternet"):
        FACTORY.create()


@pytest.mark.usefixtures("small")
def test_a_fetch_brings_all_of_them(folder: Path, server: Server) -> None:
    FACTORY.fetch()
    assert contents(folder) == PAYLOADS
    assert FACTORY.readiness().ready


@pytest.mark.usefixtures("small")
def test_only_what_is_missing_or_altered_is_fetched(folder: Path, server: Server) -> None:
    folder.mkdir(parents=True)
    (folder / "enc.onnx").write_bytes(PAYLOADS["enc.onnx"])
    (folder / "df_dec.onnx").write_bytes(b"altered")
    FACTORY.fetch()
    assert server.asked == ["erb_dec.onnx", "df_dec.onnx"]
    assert contents(folder) == PAYLOADS
    server.asked.clear()
    FACTORY.fetch()
    assert server.asked == []


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("trouble", ["altered", "cut", "absent", "refused"])
def test_a_failed_fetch_leaves_nothing_new(
    folder: Path, server: Server, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir(parents=True)
    (folder / "enc.onnx").write_bytes(b"older")
    if trouble == "altered":
        server.files["df_dec.onnx"] = PAYLOADS["df_dec.onnx"][:-1] + b"?"
    elif trouble == "cut":
        server.cut.add("df_dec.onnx")
    elif trouble == "absent":
        del server.files["df_dec.onnx"]
    else:
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            port = nobody.getsockname()[1]
        monkeypatch.setenv(factory.URL_VARIABLE, f"http://127.0.0.1:{port}")
    with pytest.raises(EngineError, match=r"\.onnx"):
        FACTORY.fetch()
    assert contents(folder) == {"enc.onnx": b"older"}
    assert [path.name for path in folder.parent.iterdir()] == ["deepfilternet"]


@pytest.mark.usefixtures("small")
def test_a_folder_that_cannot_be_made_is_named(folder: Path, server: Server) -> None:
    folder.parent.mkdir()
    folder.write_bytes(b"a file where the folder should be")
    with pytest.raises(EngineError, match="NLECOMPANION_WEIGHTS"):
        FACTORY.fetch()
    assert [path.name for path in folder.parent.iterdir()] == ["deepfilternet"]


def test_plain_http_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(factory.URL_VARIABLE, "http://example.org/models")
    with pytest.raises(EngineError, match="https only"):
        FACTORY.fetch()


def test_the_published_weights_arrive_and_run(folder: Path, server: Server) -> None:
    published = shared("weights/DeepFilterNet3")
    server.files = {name: (published / name).read_bytes() for name in SHA256}
    FACTORY.fetch()
    assert FACTORY.create().info.name == "deepfilternet"


def test_altered_weights_are_refused(folder: Path) -> None:
    published = shared("weights/DeepFilterNet3")
    folder.mkdir(parents=True)
    for name in SHA256:
        (folder / name).write_bytes((published / name).read_bytes())
    with (folder / "erb_dec.onnx").open("r+b") as file:
        file.seek(100_000)
        file.write(b"\x00\x01\x02\x03")
    assert FACTORY.readiness().ready
    with pytest.raises(EngineError, match=r"erb_dec\.onnx is damaged or another version"):
        FACTORY.create()


def test_the_published_folder_is_found_beside_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NLECOMPANION_WEIGHTS", str(shared("weights/DeepFilterNet3").parent))
    assert FACTORY.readiness().ready


def test_readiness_loads_nothing_heavy() -> None:
    code = (
        "import sys; from nlecompanion.engines.deepfilternet.factory import FACTORY as f;"
        "f.readiness(); print(*{'onnxruntime', 'scipy', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
