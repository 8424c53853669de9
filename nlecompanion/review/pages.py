"""The pages: Jinja's templates and the files that stand beside them, from inside the package."""

from __future__ import annotations

import hashlib
import html
import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, Response

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from jinja2 import Environment

_STATIC_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*")
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}


def _folder() -> Traversable:
    return resources.files("nlecompanion.templates").joinpath("review")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    def load(name: str) -> str:
        return _folder().joinpath(name).read_text(encoding="utf-8")

    return Environment(
        loader=FunctionLoader(load),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(name: str, **values: Any) -> Response:
    """A template as an answer; every text in it is escaped."""
    content = _environment().get_template(f"{name}.html.j2").render(**values)
    return HTMLResponse(content.encode("utf-8", "backslashreplace"))


def message_page(text: str, status: int) -> Response:
    """One line for a person, before there is a session: it needs nothing but itself."""
    line = html.escape(text)
    content = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>nlecompanion review: {status}</title><main><h1>nlecompanion review</h1>"
        f"<p>{line}</p></main></html>"
    )
    return HTMLResponse(content, status)


def opened_page() -> Response:
    """Goes on to the list by itself.

    A redirect would not do: the first page is opened from a file, and a browser sends a cookie of
    `SameSite=Strict` along only where one of our own pages has led on.
    """
    content = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta http-equiv="refresh" content="0; url=/"><title>nlecompanion review</title>'
        '<main><p><a href="/">Go on to the review page</a></p></main></html>'
    )
    return HTMLResponse(content)


@cache
def static_file(name: str) -> tuple[bytes, str, str] | None:
    """Content, kind and tag of a file beside the templates; None where there is none."""
    if _STATIC_NAME.fullmatch(name) is None:
        return None
    kind = _TYPES.get(name[name.rfind(".") :])
    path = _folder().joinpath("static", name)
    if kind is None or not path.is_file():
        return None
    content = path.read_bytes()
    return content, kind, f'"{hashlib.sha256(content).hexdigest()[:32]}"'
