"""What a page may load, and which files are ever served."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from testkit.review import Answer, Page, a_delivery, serving

from nlecompanion.review.media import served


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    a_delivery(tmp_path / "out")
    with serving(tmp_path / "out") as page:
        yield page


@pytest.fixture
def delivery(page: Page) -> str:
    return str(page.get("/api/deliveries").json[0]["id"])


def everywhere(delivery: str) -> list[str]:
    inside = ("uses", "uses/use-1", "uses/use-1/stems", "deliver")
    api = [f"/api/d/{delivery}/{rest}" for rest in inside]
    return [
        *api, "/", "/api/deliveries", "/api/jobs", "/events", "/m/x", "/static/api.js",
        f"/d/{delivery}", "/nothing/here",
    ]  # fmt: skip


# What a page may load


def assert_strict(answer: Answer) -> None:
    policy = dict(
        part.strip().partition(" ")[::2]
        for part in answer.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert "unsafe" not in str(policy)
    assert "*" not in str(policy)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in answer.headers
    assert "server" not in answer.headers


def test_every_answer_has_the_strict_policy(
    page: Page, delivery: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [*everywhere(delivery), "/open?token=x", "/favicon.ico"]
    for path in paths:
        if path != "/events":
            assert_strict(page.get(path))
    assert_strict(page.ask("GET", "/"))
    assert_strict(page.get("/", Host="evil.example"))

    def broken() -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(page.desk, "deliveries", broken)
    answer = page.get("/api/deliveries")
    assert answer.status == 500
    assert_strict(answer)


_INLINE = re.compile(rb"<style|style=|\son[a-z]+\s*=|javascript:|<script(?![^>]*\ssrc=)", re.I)


def test_pages_hold_nothing_inline(page: Page, delivery: str) -> None:
    for path in ("/", f"/d/{delivery}"):
        answer = page.get(path)
        assert answer.status == 200
        assert _INLINE.search(answer.content) is None


def test_names_with_markup_are_shown_not_run(tmp_path: Path) -> None:
    markup = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
    folder = "<script>alert(3)<" if sys.platform != "win32" else "a"
    a_delivery(tmp_path / "out", name=markup, folder=folder)
    with serving(tmp_path / "out") as page:
        (listed,) = page.get("/api/deliveries").json
        assert listed["name"] == folder
        shown = page.get(f"/d/{listed['id']}")
        assert shown.status == 200
        assert b"<script>alert" not in shown.content
        answer = page.get(f"/api/d/{listed['id']}/uses")
        assert answer.headers["content-type"] == "application/json"
        (use, *_) = answer.json["uses"]
        assert use["name"] == markup
        one = page.get(f"/api/d/{listed['id']}/uses/{use['id']}")
        assert one.headers["content-type"] == "application/json"


# Files


SECRET = b"RIFF secret of somebody else"


@pytest.mark.parametrize(
    "name",
    ["../secret.wav", "clips/../../secret.wav", "{root}/secret.wav", "clips/link.wav", "up/a.wav"],
)
def test_a_receipt_that_names_other_files_does_not_get_them_served(
    tmp_path: Path, name: str
) -> None:
    root = tmp_path / "out"
    folder = a_delivery(root, uses=1)
    (root / "secret.wav").write_bytes(SECRET)
    (root / "a.wav").write_bytes(SECRET)
    (folder / "clips" / "link.wav").symlink_to(root / "secret.wav")
    (folder / "up").symlink_to(root)
    receipt = json.loads((folder / "receipt.json").read_text())
    receipt["uses"][0]["cleaned_file"] = name.format(root=root)
    (folder / "receipt.json").write_text(json.dumps(receipt))
    with serving(root) as page:
        (listed,) = page.get("/api/deliveries").json
        (use,) = page.get(f"/api/d/{listed['id']}/uses").json["uses"]
        told = page.get(f"/api/d/{listed['id']}/uses/{use['id']}").json
        assert told["cleaned"] is None
        assert "/" not in told["file"]


def test_a_file_that_becomes_a_link_is_no_longer_served(tmp_path: Path) -> None:
    root = tmp_path / "out"
    folder = a_delivery(root, uses=1)
    (root / "secret.wav").write_bytes(SECRET)
    with serving(root) as page:
        (listed,) = page.get("/api/deliveries").json
        (use,) = page.get(f"/api/d/{listed['id']}/uses").json["uses"]
        cleaned = page.get(f"/api/d/{listed['id']}/uses/{use['id']}").json["cleaned"]
        path = f"/m/{cleaned['media']}"
        assert page.get(path).content[:4] == b"RIFF"
        (folder / "clips" / "A003 DX.wav").unlink()
        assert page.get(path).status == 404
        (folder / "clips" / "A003 DX.wav").symlink_to(root / "secret.wav")
        answer = page.get(path)
        assert answer.status == 404
        assert SECRET not in answer.content


@pytest.mark.parametrize(
    "path",
    [
        "/m/..%2f..%2freceipt.json",
        "/m/clips/A003%20DX.wav",
        "/m/%2fetc%2fpasswd",
        "/m/" + "x" * 3000,
        "/m/%00",
        "/static/..%2f..%2fprofiles%2fexposed.toml",
        "/static/../list.html.j2",
        "/static/%2e%2e%2flist.html.j2",
        "/static/list.html.j2",
        "/static/.",
        "/d/..%2f..",
        "/api/d/../../etc/passwd",
    ],
)
def test_addresses_lead_to_no_files(page: Page, path: str) -> None:
    answer = page.get(path)
    assert answer.status in {404, 405}
    assert b"root:" not in answer.content
    assert b"{%" not in answer.content


def test_only_sound_and_pictures_are_served(tmp_path: Path) -> None:
    for name in ("a.wav", "a.json", "a.html", "a.svg", "A.WAV"):
        (tmp_path / name).write_bytes(b"x")
    assert served(tmp_path / "a.wav", tmp_path) == (tmp_path / "a.wav").resolve()
    assert served(tmp_path / "A.WAV", tmp_path) is not None
    for name in ("a.json", "a.html", "a.svg", "missing.wav", "."):
        assert served(tmp_path / name, tmp_path) is None
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.wav")
        assert served(tmp_path / "pipe.wav", tmp_path) is None
    (tmp_path / "loop.wav").symlink_to(tmp_path / "loop.wav")
    assert served(tmp_path / "loop.wav", tmp_path) is None


def test_media_names_are_other_ones_at_every_start(tmp_path: Path) -> None:
    a_delivery(tmp_path / "out", uses=1)
    seen = set()
    for _ in range(2):
        with serving(tmp_path / "out") as page:
            (listed,) = page.get("/api/deliveries").json
            (use,) = page.get(f"/api/d/{listed['id']}/uses").json["uses"]
            path = f"/api/d/{listed['id']}/uses/{use['id']}"
            media = {page.get(path).json["cleaned"]["media"] for _ in range(2)}
            seen |= media
            assert len(media) == 1
    assert len(seen) == 2
