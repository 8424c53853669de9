"""The review page in a real browser: shown, found, reachable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from testkit.browser import until
from testkit.review_server import Review

from nlecompanion.model import Delivery


def test_markup_in_names_is_shown_not_run(page: Any, delivery: Delivery) -> None:
    name = delivery.uses[0].use.name
    assert "<img" in name
    assert page.inner_text("#use h2").endswith(name)
    assert name in page.inner_text(".uses li >> nth=0")
    assert "run" not in page.title()


def test_the_list_of_deliveries_leads_to_one(
    opened: Callable[..., Any], served: Review, delivery_path: str, delivery: Delivery
) -> None:
    page = opened("/open?" + served.key.rpartition("?")[2])
    page.wait_for_url(f"{served.address}/")
    assert delivery.folder is not None
    page.get_by_role("link", name=delivery.folder.name, exact=True).click()
    page.wait_for_url(f"**{delivery_path}*")
    until(page, "document.querySelectorAll('.uses li').length === 2")
