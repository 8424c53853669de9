"""The page against whoever is not the editor: other sites, names, users and files."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import stat
import subprocess
import sys
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from testkit.review import Page, a_delivery, serving

from nlecompanion.review import serve as serving_module
from nlecompanion.review.desk import Options
from nlecompanion.review.places import state_folder
from nlecompanion.review.security import MAX_BODY_BYTES, Front, Session, is_loopback
from nlecompanion.review.serve import key_file, listen_on
from nlecompanion.review_command import review

DECISION = {"base_revision": 0, "set": {"adr": True}}


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    a_delivery(tmp_path / "out")
    with serving(tmp_path / "out") as page:
        yield page


@pytest.fixture
def delivery(page: Page) -> str:
    return str(page.get("/api/deliveries").json[0]["id"])


def decision_path(delivery: str) -> str:
    return f"/api/d/{delivery}/uses/use-1/decision"


def first_use(page: Page, delivery: str) -> str:
    return str(page.get(f"/api/d/{delivery}/uses").json["uses"][0]["id"])


def nothing_changed(page: Page, delivery: str) -> bool:
    told = page.get(f"/api/d/{delivery}/uses").json
    written = list(page.desk.folder.rglob("decisions.json"))
    return told["revision"] == 0 and not written


def raw(page: Page, request: bytes) -> bytes:
    """What comes back for exactly these bytes."""
    with socket.create_connection(("127.0.0.1", page.front.port), timeout=30) as line:
        line.sendall(request)
        answer = b""
        while part := line.recv(65536):
            answer += part
    return answer


# Names: DNS rebinding


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1.evil.example:{port}",
        "localhost.evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:{other}",
        "192.168.1.5:{port}",
        "[::2]:{port}",
        "127.0.0.1:{port}@evil.example",
        "evil.example:80@127.0.0.1:{port}",
        "",
    ],
)
def test_another_name_gets_nothing(page: Page, host: str) -> None:
    port = page.front.port
    name = host.format(port=port, other=port + 1 if port < 65535 else port - 1)
    for path in ("/", "/api/deliveries", "/events", f"/open?token={page.session.token}"):
        answer = page.get(path, Host=name)
        assert answer.status in {400, 403}, path
        assert b"deliver" not in answer.content.lower()
        assert "set-cookie" not in answer.headers


def test_no_name_and_two_names_get_nothing(page: Page) -> None:
    cookie = page.cookie["Cookie"].encode()
    own = f"Host: 127.0.0.1:{page.front.port}\r\n".encode()
    head = b"GET /api/deliveries HTTP/1.1\r\nConnection: close\r\nCookie: " + cookie
    end = b"\r\n\r\n"
    assert raw(page, head + end).split()[1] in {b"400", b"403"}
    twice = head + b"\r\n" + own + b"Host: evil.example" + end
    assert raw(page, twice).split()[1] in {b"400", b"403"}
    old = head.replace(b"HTTP/1.1", b"HTTP/1.0") + end
    assert raw(page, old).split()[1] in {b"400", b"403"}
    assert raw(page, head + b"\r\n" + own + end).split()[1] == b"200"


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "LOCALHOST", "[::1]"])
def test_our_own_names_are_known(page: Page, name: str) -> None:
    assert page.get("/", Host=f"{name}:{page.front.port}").status == 200


def test_open_to_a_network_addresses_pass_and_names_do_not() -> None:
    front = Front("0.0.0.0", 8123)
    assert not front.loopback
    assert front.knows("192.168.1.5:8123")
    assert front.knows(f"{socket.gethostname()}:8123")
    assert not front.knows("evil.example:8123")
    assert not front.knows("192.168.1.5.evil.example:8123")
    assert front.address == "http://127.0.0.1:8123"


def test_it_listens_on_loopback_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def serve(options: object, host: str, port: int, **more: object) -> None:
        asked.update(host=host, port=port, **more)

    monkeypatch.setattr(serving_module, "serve", serve)
    result = CliRunner().invoke(review, [str(tmp_path)])
    assert result.exit_code == 0
    assert is_loopback(asked["host"])
    assert asked["open_browser"] is True
    with listen_on(asked["host"], 0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"


# Strangers: no key, another key


def everywhere(delivery: str) -> list[str]:
    inside = ("uses", "uses/use-1", "uses/use-1/stems", "deliver")
    api = [f"/api/d/{delivery}/{rest}" for rest in inside]
    return [
        *api, "/", "/api/deliveries", "/api/jobs", "/events", "/m/x", "/static/api.js",
        f"/d/{delivery}", "/nothing/here",
    ]  # fmt: skip


def test_without_the_key_nothing_is_told(page: Page, delivery: str) -> None:
    strangers: list[dict[str, str]] = [
        {},
        {"Cookie": f"{page.front.cookie_name}=guess"},
        {"Cookie": f"{page.front.cookie_name}="},
        {"Cookie": f"nlecompanion_review_1={page.session.cookie}"},
        {"Cookie": f"{page.front.cookie_name}={page.session.token}"},
    ]
    for headers in strangers:
        for path in everywhere(delivery):
            answer = page.ask("GET", path, None, headers)
            assert answer.status == 401, (path, headers)
            assert delivery.encode() not in answer.content


def test_the_key_opens_the_page_and_nothing_else_does(page: Page) -> None:
    for token in ("", "x", page.session.cookie, page.session.csrf, page.session.token[:-1], "é"):
        answer = page.ask("GET", f"/open?token={quote(token)}")
        assert (answer.status, "set-cookie" in answer.headers) == (401, False)
    assert page.ask("GET", "/open").status == 401
    answer = page.ask("GET", f"/open?token={page.session.token}")
    assert answer.status == 200
    words = answer.headers["set-cookie"].lower().split("; ")
    assert words[0].startswith(page.front.cookie_name)
    assert {"httponly", "samesite=strict", "path=/"} <= set(words)
    assert "domain" not in answer.headers["set-cookie"].lower()
    assert answer.headers["cache-control"] == "no-store"
    # The page that follows is asked for by our own page, so that the strict cookie goes along.
    assert b'http-equiv="refresh" content="0; url=/"' in answer.content


def test_every_start_has_other_secrets_and_shows_none() -> None:
    one, other = Session(), Session()
    secrets = {one.token, one.cookie, one.csrf, other.token, other.cookie, other.csrf}
    assert len(secrets) == 6
    assert all(len(secret) >= 32 for secret in secrets)
    assert not any(secret in repr(one) for secret in secrets)


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_the_key_is_handed_over_in_a_file_of_this_user_alone() -> None:
    address = "http://127.0.0.1:9/open?token=secret&x=<"
    with key_file(address) as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        text = path.read_text()
        assert "token=secret&amp;x=&lt;" in text
        assert "<script" not in text
    assert not path.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_the_browser_is_given_the_file_not_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    said: list[str] = []

    def opening(url: str) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr(webbrowser, "open", opening)
    monkeypatch.setattr(serving_module.ReviewServer, "run", lambda self, sockets: self.end())
    options = Options(tmp_path)
    serving_module.serve(options, "127.0.0.1", 0, open_browser=True, say=said.append)
    (url,) = opened
    (token,) = re.findall(r"token=(\S+)", "\n".join(said))
    assert url.startswith("file://")
    assert token not in url


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_takes_the_key_away(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "nlecompanion.cli", "review", str(tmp_path), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        keys = state_folder() / "review"
        assert len(list(keys.iterdir())) == 1
        # A stream of events must not hold it up.
        port = int(address.split(":")[2].partition("/")[0])
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        line.request("GET", address[address.index("/open") :])
        cookie = line.getresponse().headers["set-cookie"].partition(";")[0]
        events = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        events.request("GET", "/events", headers={"Cookie": cookie})
        assert events.getresponse().readline() == b"retry: 2000\n"
        process.send_signal(number)
        assert process.wait(30) == 0
        line.close()
        events.close()
    assert list(keys.iterdir()) == []


# Other sites


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_another_site_neither_reads_nor_changes(
    page: Page, delivery: str, headers: dict[str, str]
) -> None:
    assert page.get("/api/deliveries", **headers).status == 403
    body = json.dumps(DECISION).encode()
    use = first_use(page, delivery)
    path = f"/api/d/{delivery}/uses/{use}/decision"
    assert page.ask("POST", path, body, {**page.changing, **headers}).status == 403
    assert nothing_changed(page, delivery)


def without(headers: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key != name}


def test_a_change_needs_its_origin_its_secret_and_json(page: Page, delivery: str) -> None:
    path = f"/api/d/{delivery}/uses/{first_use(page, delivery)}/decision"
    body, own = json.dumps(DECISION).encode(), page.changing
    refused: list[tuple[dict[str, str], int]] = [
        (without(own, "Origin"), 403),
        (without(own, "X-CSRF"), 403),
        ({**own, "X-CSRF": page.session.cookie}, 403),
        (without(own, "Cookie"), 401),
        (without(own, "Content-Type"), 415),
        ({**own, "Content-Type": "text/plain"}, 415),
        ({**own, "Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({**own, "Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({**own, "Content-Type": "text/plain; application/json"}, 415),
    ]
    for headers, status in refused:
        assert page.ask("POST", path, body, headers).status == status, headers
        assert nothing_changed(page, delivery)
    assert page.ask("POST", path, body, own).status == 200
    assert not nothing_changed(page, delivery)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"1", b"null", b'"x"', b"\xff\xfe", b"[" * 50_000, b'{"set": NaN}'],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_no_json_object_is_refused(page: Page, delivery: str, body: bytes) -> None:
    path = f"/api/d/{delivery}/uses/{first_use(page, delivery)}/decision"
    assert page.ask("POST", path, body, page.changing).status == 400
    assert nothing_changed(page, delivery)


def test_a_large_body_is_refused_whatever_it_says_of_its_length(page: Page, delivery: str) -> None:
    path = f"/api/d/{delivery}/uses/{first_use(page, delivery)}/decision"
    large = json.dumps({**DECISION, "client": "x" * MAX_BODY_BYTES}).encode()
    assert page.ask("POST", path, large, page.changing).status == 413
    # In chunks, without a length.
    assert page.ask("POST", path, iter([large]), page.changing).status == 413
    lying = {**page.changing, "Content-Length": "-1"}
    assert page.ask("POST", path, b"", lying).status in {400, 413}
    assert nothing_changed(page, delivery)


def test_looking_changes_nothing(page: Page, delivery: str) -> None:
    use = first_use(page, delivery)
    changes = [
        f"/api/d/{delivery}/uses/{use}/decision",
        f"/api/d/{delivery}/uses/{use}/prepare",
        f"/api/d/{delivery}/deliver/cancel",
    ]
    for path in changes:
        assert page.get(f"{path}?set=adr").status == 405
    assert page.get(f"/api/d/{delivery}/deliver").json is None
    assert nothing_changed(page, delivery)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
def test_other_methods_are_not_known(page: Page, delivery: str, method: str) -> None:
    headers = {**page.changing, "Access-Control-Request-Method": "POST"}
    answer = page.ask(method, decision_path(delivery), None, headers)
    assert answer.status in {400, 405}
    assert not any(name.startswith("access-control") for name in answer.headers)
