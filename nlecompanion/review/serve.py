"""Listening on a port, and the browser that is let in."""

from __future__ import annotations

import contextlib
import html
import logging
import os
import socket
import tempfile
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import uvicorn

from nlecompanion.errors import SettingsError
from nlecompanion.review.app import make_app
from nlecompanion.review.desk import Desk, Options
from nlecompanion.review.places import state_folder
from nlecompanion.review.security import OPEN_PATH, Front, Session

_log = logging.getLogger(__name__)
#: Streams of events end at once when we go; nothing else takes longer than this.
_GOODBYE_S = 2


def listen_on(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one.

    Raises:
        SettingsError: the host is none of this machine, or the port is taken.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise SettingsError(f"{host} is no address of this machine ({error}).") from error
    try:
        if os.name != "nt":  # there it would let another process take the port as well
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"Port {port} of {host} cannot be listened on ({error.strerror}). "
            "Choose another one with --port, or let it be chosen by leaving --port away."
        ) from error
    return listening


@contextlib.contextmanager
def key_file(address: str) -> Iterator[Path]:
    """A page that opens the address, readable by this user alone, gone at the end.

    The address holds the token, so it is not handed to the browser as an argument, which every
    user of this machine may read.

    Raises:
        OSError: it cannot be written.
    """
    folder = state_folder() / "review"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Made with mode 0600, under a name that nobody can have prepared.
    number, name = tempfile.mkstemp(prefix="open-", suffix=".html", dir=folder)
    path = Path(name)
    try:
        quoted = html.escape(address)
        with os.fdopen(number, "w", encoding="ascii") as file:
            file.write(
                '<!doctype html><meta charset="utf-8"><title>nlecompanion review</title>'
                f'<meta name="referrer" content="no-referrer">'
                f'<meta http-equiv="refresh" content="0; url={quoted}">'
                f'<p><a href="{quoted}">Open the review page</a></p>'
            )
        yield path
    finally:
        path.unlink(missing_ok=True)


class ReviewServer(uvicorn.Server):
    """Serves one desk; on a signal it ends the streams of events first, which would go on."""

    def __init__(self, desk: Desk, session: Session, front: Front) -> None:
        super().__init__(
            uvicorn.Config(
                make_app(desk, session, front),
                log_config=None,
                access_log=False,  # addresses hold the token
                server_header=False,
                proxy_headers=False,
                ws="none",
                lifespan="on",
                timeout_graceful_shutdown=_GOODBYE_S,
            )
        )
        self._desk = desk

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """On a signal; a second one does not wait for anything."""
        self._desk.hub.close()
        super().handle_exit(sig, frame)

    def end(self) -> None:
        """From another thread."""
        self._desk.hub.close()
        self.should_exit = True


def serve(
    options: Options,
    host: str,
    port: int,
    *,
    open_browser: bool,
    say: Callable[[str], None],
) -> None:
    """Serves the page until a signal comes.

    Raises:
        SettingsError: it cannot listen there.
        OSError: the key's file cannot be written.
    """
    listening = listen_on(host, port)
    with listening:
        front = Front(host, listening.getsockname()[1])
        session = Session()
        address = f"{front.address}{OPEN_PATH}?token={session.token}"
        server = ReviewServer(Desk(options), session, front)
        with key_file(address) as key:
            say(f"Review page: {address}")
            if not front.loopback:
                say("It is open to the network; whoever has this address can use it.")
            say("Ctrl-C ends it.")
            if open_browser and not webbrowser.open(key.as_uri()):
                say(f"No browser was found. Open {key}, or the address above.")
            server.run(sockets=[listening])
