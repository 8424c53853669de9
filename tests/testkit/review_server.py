"""The review page of a folder, served for tests: the true server, on a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from nlecompanion.review.app import make_app
from nlecompanion.review.desk import Desk, Options
from nlecompanion.review.security import OPEN_PATH, Front, Session
from nlecompanion.review.serve import listen_on


@dataclass(frozen=True, slots=True)
class Review:
    """A served review page: its address, the one that opens it, and what stands behind it.

    `cookie` is what a browser holds that was let in.
    """

    address: str
    key: str
    cookie: dict[str, str]
    desk: Desk


@contextmanager
def review(folder: Path, document: Path | None = None) -> Iterator[Review]:
    """Serves the deliveries below a folder; `document` as for the command."""
    listening = listen_on("127.0.0.1", 0)
    with listening:
        front, session = Front("127.0.0.1", listening.getsockname()[1]), Session()
        desk = Desk(Options(folder, document))
        config = uvicorn.Config(
            make_app(desk, session, front),
            log_config=None,
            access_log=False,
            ws="none",
            lifespan="on",
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            key = f"{front.address}{OPEN_PATH}?token={session.token}"
            cookie = {"name": front.cookie_name, "value": session.cookie, "url": front.address}
            yield Review(front.address, key, cookie, desk)
        finally:
            desk.hub.close()
            server.should_exit = True
            thread.join()
