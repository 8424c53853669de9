"""The review page on a real port, and a browser that can lie about everything."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from testkit.delivered import ENGINE, delivered

from nlecompanion.delivery.receipt import receipt
from nlecompanion.model import Ruling
from nlecompanion.review.desk import Desk, Options
from nlecompanion.review.security import Front, Session
from nlecompanion.review.serve import ReviewServer, listen_on

_TIMEOUT_S = 30
_CSRF = re.compile(rb'name="csrf" content="([^"]+)"')


def a_delivery(
    root: Path,
    uses: int = 3,
    rulings: tuple[Ruling, ...] = (Ruling.DELIVER,),
    name: str = "A003",
    folder: str = "Scene 3 clean",
) -> Path:
    """A folder with a receipt and one cleaned file, as a delivery has them."""
    made = delivered(root / "made", uses, rulings, name)
    final = root / folder
    made.folder.rename(final)
    values = receipt(
        made.delivery,
        document_name="Scene 3.xml",
        document_sha256="0" * 64,
        settings=made.settings,
        engine=ENGINE,
    )
    (final / "receipt.json").write_text(json.dumps(values), encoding="utf-8")
    return final


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        """The values in it."""
        return json.loads(self.content)


@dataclass
class Page:
    """A server on loopback, and what an opened page knows."""

    desk: Desk
    session: Session
    front: Front
    server: ReviewServer

    @property
    def address(self) -> str:
        """As a browser's `Origin` has it."""
        return f"http://127.0.0.1:{self.front.port}"

    @property
    def cookie(self) -> dict[str, str]:
        """What a browser sends along once the page was opened."""
        return {"Cookie": f"{self.front.cookie_name}={self.session.cookie}"}

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Exactly this, and nothing that was not said."""
        line = http.client.HTTPConnection("127.0.0.1", self.front.port, timeout=_TIMEOUT_S)
        try:
            line.request(method, path, body, dict(headers or {}))
            answer = line.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, named, answer.read())
        finally:
            line.close()

    def get(self, path: str, **headers: str) -> Answer:
        """As the opened page asks."""
        return self.ask("GET", path, None, {**self.cookie, **headers})

    @property
    def changing(self) -> dict[str, str]:
        """The headers of a change, as the opened page sends them."""
        found = _CSRF.search(self.get("/").content)
        assert found is not None
        return {
            **self.cookie,
            "Origin": self.address,
            "X-CSRF": found[1].decode(),
            "Content-Type": "application/json",
        }

    def post(self, path: str, values: Any) -> Answer:
        """As the opened page changes something."""
        return self.ask("POST", path, json.dumps(values).encode(), self.changing)

    def listen(self, delivery: str = "") -> Listener:
        """A window that listens."""
        return Listener(self, delivery)


class Listener:
    """A stream of events."""

    def __init__(self, page: Page, delivery: str) -> None:
        self._line = http.client.HTTPConnection("127.0.0.1", page.front.port, timeout=_TIMEOUT_S)
        self._line.request("GET", f"/events?d={delivery}", headers=page.cookie)
        self._answer = self._line.getresponse()
        assert self._answer.status == 200
        assert self._answer.readline() == b"retry: 2000\n"  # from now on nothing is missed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._answer.close()
        self._line.close()

    def next(self, wanted: str) -> Any:
        """The next event of that name."""
        name = ""
        while line := self._answer.readline():
            if line.startswith(b"event: "):
                name = line[7:].decode().strip()
            elif line.startswith(b"data: ") and name == wanted:
                return json.loads(line[6:])
            elif line.startswith(b":"):
                raise AssertionError(f"nothing has happened for 15 s, no event {wanted!r}")
        raise AssertionError(f"the stream ended before an event {wanted!r}")


@contextmanager
def serving(folder: Path, document: Path | None = None, host: str = "127.0.0.1") -> Iterator[Page]:
    """The page for that folder on a free port."""
    with listen_on(host, 0) as listening:
        front = Front(host, listening.getsockname()[1])
        session, desk = Session(), Desk(Options(folder, document))
        server = ReviewServer(desk, session, front)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        try:
            yield Page(desk, session, front, server)
        finally:
            server.end()
            thread.join()


def only(page: Page) -> str:
    """The id of the one delivery that the page lists."""
    (listed,) = page.get("/api/deliveries").json
    return str(listed["id"])


def uses_of(page: Page) -> list[dict[str, Any]]:
    """The uses of that delivery, as the page is told of them."""
    found: list[dict[str, Any]] = page.get(f"/api/d/{only(page)}/uses").json["uses"]
    return found
