"""A process that is cut off has no network, nor has what it starts."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from nlecompanion.errors import NotATimeline
from nlecompanion.isolation import Isolation
from nlecompanion.timeline.documents import recognise

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason="the filter is one of Linux",
)

_SOCKETS = """
import socket
for family in ("AF_INET", "AF_INET6", "AF_UNIX"):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        try:
            socket.socket(getattr(socket, family), kind).close()
            print(family, "works")
        except PermissionError:
            print(family, "refused")
a, b = socket.socketpair()
a.sendall(b"hello")
print(b.recv(5).decode())
"""
_CUT = "from nlecompanion.offline import cut_off_network; assert cut_off_network()\n"
_THREAD = (
    "import threading; t = threading.Thread(target=exec, args=(CODE, {})); t.start(); t.join()"
)
_CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', CODE], check=True)"
_OPEN = ["AF_INET works"] * 2 + ["AF_INET6 works"] * 2 + ["AF_UNIX works"] * 2 + ["hello"]
_CLOSED = [line.replace("works", "refused") if "INET" in line else line for line in _OPEN]


def _told(code: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.splitlines()


def test_without_it_there_are_sockets() -> None:
    assert _told(_SOCKETS)[:2] == _OPEN[:2]


@pytest.mark.parametrize("where", [_SOCKETS, f"CODE = {_SOCKETS!r}\n{_THREAD}"])
def test_no_socket_reaches_out(where: str) -> None:
    assert _told(_CUT + where) == _CLOSED


def test_nor_do_those_of_its_children() -> None:
    assert _told(f"{_CUT}CODE = {_SOCKETS!r}\n{_CHILD}") == _CLOSED


def test_it_may_be_asked_for_twice() -> None:
    assert _told(_CUT + _CUT + _SOCKETS) == _CLOSED


def test_readers_of_documents_are_cut_off(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no timeline")
    with Isolation() as isolation:
        with pytest.raises(NotATimeline):
            recognise(tmp_path / "notes.txt", isolation)
        assert isolation._process is not None
        status = Path(f"/proc/{isolation._process.pid}/status").read_text()
    assert "Seccomp:\t2\n" in status, "a filter holds"
