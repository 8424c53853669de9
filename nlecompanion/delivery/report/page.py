"""The page: Jinja's templates, with the style sheet and the script inside."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = ("page.html.j2", "card.html.j2", "parts.html.j2")


@cache
def _file(name: str, folder: str = "report") -> str:
    source = resources.files("nlecompanion.templates").joinpath(folder, name)
    return source.read_text(encoding="utf-8")


def _css() -> str:
    """The style sheet: colours and type are those of the review page."""
    return _file("look.css", "review/static") + _file("report.css")


@cache
def _environment() -> Environment:
    from jinja2 import DictLoader, Environment, StrictUndefined

    return Environment(
        loader=DictLoader({name: _file(name) for name in _TEMPLATES}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_card(**values: Any) -> str:
    """One card as markup; every text in it is escaped."""
    return _environment().get_template("card.html.j2").render(**values)


def render_page(*, cards: list[str], **values: Any) -> str:
    """The whole page. `cards` are markup from `render_card`; every other text is escaped.

    Only our own script may run: the page's policy names its digest, and no address to load from.
    """
    from markupsafe import Markup

    script = _file("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            cards=[Markup(card) for card in cards],
            css=Markup(_css()),
            script=Markup(script),
            script_hash=f"sha256-{digest}",
            **values,
        )
    )
