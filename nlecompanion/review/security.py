"""Who may speak to the page: the browser that was handed this start's token, and nobody else.

A local page that can start work is reached by every site that the user visits: by requests across
origins, by forms, and by names that are made to point at 127.0.0.1 (DNS rebinding). So a request
must name a host that is ours, come from our own page where it says where it comes from, carry the
session's cookie, and, where it changes anything, the page's secret in a header and JSON in its
body.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import re
import secrets
import socket
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nlecompanion.review.pages import message_page

MAX_BODY_BYTES = 64 << 10
OPEN_PATH = "/open"
_FREE_PATHS = (OPEN_PATH, "/favicon.ico")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(\d{1,5}))?")
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
#: On every answer. The page loads nothing from elsewhere, is framed by nobody, and tells nobody.
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


def _secret() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Session:
    """The secrets of one start: `token` opens the page, `cookie` and `csrf` keep it open."""

    token: str = field(default_factory=_secret, repr=False)
    cookie: str = field(default_factory=_secret, repr=False)
    csrf: str = field(default_factory=_secret, repr=False)


@dataclass(frozen=True, slots=True)
class Front:
    """Where the page listens."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(self.host)

    @property
    def cookie_name(self) -> str:
        """Cookies are shared by all ports of a host."""
        return f"nlecompanion_review_{self.port}"

    @property
    def address(self) -> str:
        """What a browser on this machine opens."""
        wildcard = self.host in {"", "0.0.0.0", "::"}
        name = "127.0.0.1" if wildcard else self.host
        return f"http://{f'[{name}]' if ':' in name else name}:{self.port}"

    def knows(self, host_header: str) -> bool:
        """Whether a `Host` header names this page.

        A name that somebody else's DNS may point here is refused; an address of digits cannot be
        made to point anywhere, so where the page is open to a network those pass.
        """
        match = _HOST.fullmatch(host_header)
        if match is None or int(match[2] or 80) != self.port:
            return False
        name = match[1].lower()
        own = self.host.lower()
        if name in _LOOPBACK_NAMES or name in {own, f"[{own}]"}:
            return True
        if self.loopback:
            return False
        return _is_address(name.strip("[]")) or name == socket.gethostname().lower()


def is_loopback(host: str) -> bool:
    """Whether that address is this machine's own."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Guard:
    """Around the whole application: nothing behind it is reached by a request that fails here."""

    def __init__(self, app: ASGIApp, session: Session, front: Front) -> None:
        self._app, self._session, self._front = app, session, front

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses, or passes on; every answer gets the headers."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no web sockets here
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refusal = self._refusal(Request(scope))
        await (refusal or self._app)(scope, receive, sending)

    def _refusal(self, request: Request) -> Response | None:
        """The answer that a request gets instead of what it wants; None where it may pass."""
        headers, path = request.headers, request.url.path
        if len(headers.getlist("host")) != 1 or not self._front.knows(headers["host"]):
            return _refused(request, 403, "This address is not the review page's own.")
        if request.method not in {"GET", "HEAD", "POST"}:
            return _refused(request, 405, "Only GET, HEAD and POST are known here.")
        if not self._from_here(headers, path):
            return _refused(request, 403, "Another site asked for this; it is refused.")
        if path not in _FREE_PATHS and not self._known(request):
            told = (
                "Open the address that `nlecompanion review` has printed: it has this start's key."
            )
            return _refused(request, 401, told)
        if request.method == "POST":
            return self._refused_change(request)
        return None

    def _from_here(self, headers: Headers, path: str) -> bool:
        """Whether what a browser says about the request's origin is our own page, or nothing."""
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{headers['host']}":
            return False
        # The first page is opened from a file or a terminal: it needs the token instead.
        return path == OPEN_PATH or headers.get("sec-fetch-site", "none") in {"same-origin", "none"}

    def _known(self, request: Request) -> bool:
        given = request.cookies.get(self._front.cookie_name, "")
        return same(given, self._session.cookie)

    def _refused_change(self, request: Request) -> Response | None:
        headers = request.headers
        if headers.get("origin") is None:
            return _refused(request, 403, "A change must say which page it comes from.")
        if not same(headers.get("x-csrf", ""), self._session.csrf):
            return _refused(request, 403, "The page is of another start. Load it again.")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            return _refused(request, 415, "A change is told as application/json.")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            return _too_large(request)
        return None


def same(given: str, secret: str) -> bool:
    """Compared in a time that tells nothing of the secret."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode())


def _too_large(request: Request) -> Response:
    return _refused(request, 413, f"A body has {MAX_BODY_BYTES >> 10} KiB at most.")


def _refused(request: Request, status: int, line: str) -> Response:
    path = request.url.path
    if path.startswith(("/api/", "/m/", "/events")) or request.method == "POST":
        return JSONResponse({"error": line}, status)
    return message_page(line, status)


class BadBody(Exception):
    """The body is not what it must be; `status` and the line for the answer."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status = status


async def read_object(request: Request) -> dict[str, Any]:
    """The JSON object in the body, which must not be longer than the limit whatever it says.

    Raises:
        BadBody: too long, no JSON, or no object.
        ClientDisconnect: the browser went away before all of it was there.
    """
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > MAX_BODY_BYTES:
            raise BadBody(413, f"A body has {MAX_BODY_BYTES >> 10} KiB at most.")
    try:
        found = json.loads(bytes(content), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BadBody(400, "The body is no JSON.") from error
    if not isinstance(found, dict):
        raise BadBody(400, "The body is no JSON object.")
    return found


def _no_number(_: str) -> None:
    raise ValueError("a number that JSON does not have")
