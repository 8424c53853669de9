"""The page's addresses: pages, API, media, events; behind the guard, all of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from nlecompanion import __version__
from nlecompanion.errors import NleCompanionError, SettingsError
from nlecompanion.review.desk import Desk, NotFound, Refused
from nlecompanion.review.pages import message_page, opened_page, page, static_file
from nlecompanion.review.security import BadBody, Front, Guard, Session, read_object, same

_log = logging.getLogger(__name__)
_TITLE = "nlecompanion review"

_Handler = Callable[[Request], Awaitable[Response]]


def make_app(desk: Desk, session: Session, front: Front) -> ASGIApp:
    """The application behind its guard; ends the desk's work when it ends."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(desk.close)

    pages, api = _Pages(desk, session, front), _Api(desk)
    one = "/api/d/{delivery}/uses/{use}"
    app = Starlette(
        routes=[
            Route("/open", pages.open),
            Route("/", pages.list),
            Route("/d/{delivery}", pages.delivery),
            Route("/static/{name}", pages.static),
            Route("/favicon.ico", pages.icon),
            Route("/m/{media}", pages.media),
            Route("/events", pages.events),
            Route("/api/deliveries", _get(lambda _: desk.deliveries())),
            Route("/api/jobs", _get(lambda _: desk.jobs())),
            Route("/api/d/{delivery}/uses", _get(lambda r: desk.uses(_delivery(r)))),
            Route(one, _get(lambda r: desk.use(_delivery(r), _use(r)))),
            Route(f"{one}/stems", _get(lambda r: desk.stems(_delivery(r), _use(r)))),
            Route(f"{one}/prepare", api.prepare, methods=["POST"]),
            Route(f"{one}/decision", api.decide, methods=["POST"]),
            Route("/api/d/{delivery}/deliver", api.deliver, methods=["GET", "POST"]),
            Route("/api/d/{delivery}/deliver/cancel", api.cancel, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _http_error, Exception: _fault},
        lifespan=lifespan,
    )
    # Around all of it, the answers to our own faults included.
    return Guard(app, session, front)


def _delivery(request: Request) -> str:
    return str(request.path_params["delivery"])


def _use(request: Request) -> str:
    return str(request.path_params["use"])


def _json(values: Any, status: int = 200) -> Response:
    # ASCII: half characters in a name are shown, and never an encoding error.
    content = json.dumps(values, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return Response(content, status, media_type="application/json")


async def _answered(work: Callable[[], Any], status: int = 200) -> Response:
    """What `work` gives, done beside the loop; our own errors as one line each."""
    try:
        return _json(await run_in_threadpool(work), status)
    except NotFound as error:
        return _error(404, error)
    except SettingsError as error:
        return _error(422, error)
    except Refused as error:
        return _error(409, error)
    except (NleCompanionError, OSError) as error:
        _log.warning("not answered: %s", error)
        return _error(500, error)


def _error(status: int, error: Exception) -> Response:
    return _json({"error": " ".join(str(error).split())}, status)


def _get(work: Callable[[Request], Any]) -> _Handler:
    async def answer(request: Request) -> Response:
        return await _answered(lambda: work(request))

    return answer


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    line = "There is nothing at this address." if error.status_code == 404 else str(error.detail)
    if request.url.path.startswith(("/api/", "/m/")):
        return _json({"error": line}, error.status_code)
    return message_page(line, error.status_code)


async def _fault(_: Request, error: Exception) -> Response:
    _log.error("a fault in the review page", exc_info=error)
    return _json({"error": f"{type(error).__name__}: {error}. Please report this."}, 500)


class _Pages:
    """What is not JSON."""

    def __init__(self, desk: Desk, session: Session, front: Front) -> None:
        self._desk, self._session, self._front = desk, session, front

    async def open(self, request: Request) -> Response:
        """The first page: whoever has the token gets the cookie."""
        if not same(request.query_params.get("token", ""), self._session.token):
            return message_page("The key in this address is of another start.", 401)
        response = opened_page()
        response.set_cookie(
            self._front.cookie_name, self._session.cookie, httponly=True, samesite="strict"
        )
        return response

    async def list(self, _: Request) -> Response:
        """All deliveries and jobs."""
        return page("list", **self._common(), watched=self._desk.places is not None)

    async def delivery(self, request: Request) -> Response:
        """One delivery."""
        try:
            shown = await run_in_threadpool(self._desk.shown, _delivery(request))
        except NotFound as error:
            return message_page(str(error), 404)
        told = {"id": shown.id, "name": shown.name, "trouble": shown.trouble or None}
        return page("delivery", **self._common(), delivery=told)

    def _common(self) -> dict[str, Any]:
        return {
            "csrf": self._session.csrf,
            "title": _TITLE,
            "folder": self._desk.folder.name,
            "version": __version__,
        }

    async def static(self, request: Request) -> Response:
        """Styles and scripts."""
        found = await run_in_threadpool(static_file, str(request.path_params["name"]))
        if found is None:
            raise HTTPException(404)
        content, kind, tag = found
        headers = {"etag": tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=kind, headers=headers)

    async def icon(self, _: Request) -> Response:
        """Browsers ask for it by themselves."""
        return Response(status_code=204)

    async def media(self, request: Request) -> Response:
        """Sound or a picture, whole or a range of it."""
        media_id = str(request.path_params["media"])
        found = await run_in_threadpool(self._desk.media.answer, media_id)
        if found is None:
            raise HTTPException(404)
        return found

    async def events(self, request: Request) -> Response:
        """What happens from now on."""
        return self._desk.hub.answer(request.query_params.get("d", ""), self._desk.first_events)


class _Api:
    """What changes something: POST only, and a JSON object each."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def _changed(
        self, request: Request, work: Callable[[dict[str, Any]], Any], status: int
    ) -> Response:
        try:
            body = await read_object(request)
        except BadBody as error:
            return _error(error.status, error)
        except ClientDisconnect:
            # Half a body is no decision: nothing is changed, and nobody is there to be told.
            return Response(status_code=400)
        return await _answered(lambda: work(body), status)

    async def prepare(self, request: Request) -> Response:
        """Stems of a use."""
        return await self._changed(
            request, lambda _: self._desk.prepare(_delivery(request), _use(request)), 202
        )

    async def decide(self, request: Request) -> Response:
        """Fields of a decision."""
        return await self._changed(
            request, lambda body: self._desk.decide(_delivery(request), _use(request), body), 200
        )

    async def deliver(self, request: Request) -> Response:
        """Begins to deliver again, or tells how far it is."""
        delivery = _delivery(request)
        if request.method != "POST":
            return await _answered(lambda: self._desk.delivering(delivery))
        return await self._changed(request, lambda _: self._desk.deliver(delivery), 202)

    async def cancel(self, request: Request) -> Response:
        """Ends delivering again."""
        return await self._changed(
            request, lambda _: self._desk.stop_delivering(_delivery(request)), 202
        )
