"""An adapter that does to its process what hostile documents did to native parsers.

It is installed the way any adapter is: `install` writes a distribution with an entry point.
"""

from __future__ import annotations

from pathlib import Path

import pytest

SUFFIX = ".hostile"
_MODULE = """
import os, signal, sys, time

class Hostile:
    name = "hostile"
    title = "What kills its reader"
    suffixes = (".hostile",)

    def score(self, path, head):
        return 100 if path.suffix == ".hostile" else 0

    def read(self, path):
        getattr(self, path.read_text())()

    patch = lambda self, path, plan, target: self.read(path)

    def crash(self):
        os.kill(os.getpid(), signal.SIGSEGV)

    def abort(self):
        os.abort()

    def leave(self):
        os._exit(7)

    def hang(self):
        while True:
            time.sleep(60)

    def burn(self):
        while True:
            pass

    def bomb(self):
        held = []
        while True:
            held.append(bytearray(1 << 24))

    def raises(self):
        raise KeyError("a bug")

    def refuses(self):
        from nlecompanion.errors import UnsupportedDocument
        raise UnsupportedDocument("One sentence. Export again.")

    def full(self):
        raise OSError(28, "No space left on device", "/somewhere")

    def prints(self):
        print('{"answer": "printed"}', flush=True)
        os.write(1, b"x" * 100_000)
        raise ValueError(repr(sys.stdin.read()))

    def open_files(self):
        raise ValueError(sorted(int(n) for n in os.listdir("/proc/self/fd"))[3:])

ADAPTER = Hostile()
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Child processes of this test find the adapter; this process does not."""
    (folder / "hostile_adapter_plugin.py").write_text(_MODULE)
    info = folder / "hostile_adapter_plugin-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile-adapter\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[nlecompanion.adapters]\nhostile = hostile_adapter_plugin:ADAPTER\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(folder))


def document(folder: Path, what: str) -> Path:
    """A document that makes the adapter do `what`."""
    path = folder / f"{what}{SUFFIX}"
    path.write_text(what)
    return path
