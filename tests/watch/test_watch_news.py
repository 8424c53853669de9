"""What the daemon tells: lines, webhook, desktop; and settings that are read again."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from testkit.watching import Bench, deliver

from nlecompanion.errors import NoSpace, SettingsError
from nlecompanion.watch.announcing import Announcer, announcing, notification_command
from nlecompanion.watch.contract import WatchSettings, inline
from nlecompanion.watch.daemon import Means
from nlecompanion.watch.logs import JsonLines, log_state_changes
from nlecompanion.watch.reloading import Reloading

PATIENCE_S = 20


@pytest.fixture
def watch_logger() -> Iterator[logging.Logger]:
    """The daemon's logger, as it was before."""
    logger = logging.getLogger("nlecompanion.watch")
    before = (logger.handlers, logger.level, logger.propagate)
    yield logger
    logger.handlers, logger.level, logger.propagate = before


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("watch_logger")
def test_lines_are_json_unless_a_person_looks(bench: Bench) -> None:
    machine, person = io.StringIO(), Terminal()
    for stream in (machine, person):
        log_state_changes(stream)
        with bench.daemon() as daemon:
            bench.drop(f"a{stream.isatty()}\n.xml")
            bench.settle(daemon)
    lines = [json.loads(line) for line in machine.getvalue().splitlines()]
    states = [line["state"] for line in lines if line.get("event") == "state"]
    assert states == ["seen", "stable", "working", "done"]
    assert {"at", "level", "message", "job", "document"} <= lines[-1].keys()
    assert not person.getvalue().startswith("{")
    assert len(person.getvalue().splitlines()) == 4, "a name cannot make a line of its own"


def test_an_exception_stays_on_its_line() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "a\nb", None, sys.exc_info())
    line = JsonLines().format(record)
    assert len(line.splitlines()) == 1
    assert "ValueError: first" in json.loads(line)["trace"]


class Listener(BaseHTTPRequestHandler):
    heard: ClassVar[list[dict[str, object]]] = []
    status: ClassVar[int] = 200
    came: ClassVar[threading.Event] = threading.Event()

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.heard.append(json.loads(self.rfile.read(length)))
        self.send_response(self.status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.came.set()

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def address() -> Iterator[str]:
    Listener.heard, Listener.status, Listener.came = [], 200, threading.Event()
    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook"
        server.shutdown()
        thread.join()


@pytest.fixture
def announcer(watch_logger: logging.Logger) -> Iterator[Announcer]:
    watch_logger.setLevel(logging.INFO)
    with announcing() as announcer:
        yield announcer


def test_the_webhook_hears_of_ends_only(bench: Bench, announcer: Announcer, address: str) -> None:
    announcer.adopt(address, notify=False)
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.drop("b.xml", b"half")
        bench.settle(daemon, 30)
    announcer.end()
    told = {(news["document"], news["state"]) for news in Listener.heard}
    assert told == {("a.xml", "done"), ("b.xml", "failed")}


@pytest.mark.parametrize("status", [302, 500])
def test_a_webhook_that_refuses_or_sends_elsewhere_is_one_line(
    bench: Bench,
    announcer: Announcer,
    address: str,
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    Listener.status = status
    announcer.adopt(address, notify=False)
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.settle(daemon)
    announcer.end()
    assert bench.states() == {"a.xml": ["done"]}
    assert "The webhook did not take the news" in caplog.text
    assert len(Listener.heard) == 1


def test_nobody_there_holds_up_nothing(
    bench: Bench, announcer: Announcer, caplog: pytest.LogCaptureFixture
) -> None:
    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        closed = server.server_port
    announcer.adopt(f"http://127.0.0.1:{closed}/", notify=False)
    bench.behaviour = deliver
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.settle(daemon)
    announcer.end()
    assert bench.states() == {"a.xml": ["done"]}
    assert "did not take the news" in caplog.text


@pytest.mark.parametrize("platform", ["darwin", "win32", "linux"])
def test_names_from_outside_are_never_program_text(
    platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    title, text = '-e "; rm -rf $HOME', "`x` $(y)\nend"
    command = notification_command(title, text, platform)
    assert command is not None
    script = [word for word in command if title in word or text in word]
    assert script == ([] if platform == "win32" else [title, text])
    if platform != "win32":
        assert command.index("--") < command.index(title)


def test_without_a_program_there_is_no_notification(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert notification_command("a", "b", "linux") is None


def means(bench: Bench, **settings: object) -> Means:
    chosen = WatchSettings(**{"profiles": {"exposed": "1"}, "jitter": 0, **settings})  # type: ignore[arg-type]
    return Means(inline(bench.work), bench.check, chosen)


def test_settings_are_read_again_between_jobs(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("1")
    fresh = Reloading(lambda: means(bench, poll_s=float(file.read_text())), (file,))
    assert fresh.first().settings.poll_s == 1
    assert fresh() is None
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.turn(daemon)
        file.write_text("3.5")
        changed = fresh()
        assert changed is not None
        daemon.adopt(changed)
        assert daemon.step() == 3.5
        bench.settle(daemon)
    assert bench.states() == {"a.xml": ["done"]}


def test_settings_that_cannot_be_used_are_told_once_and_the_old_ones_stay(
    bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "settings.toml"

    def make() -> Means:
        if file.exists():
            raise SettingsError("There is no key 'engin'.")
        return means(bench)

    fresh = Reloading(make, (file,))
    file.write_text("engin = 1")
    assert [fresh() for _ in range(3)] == [None, None, None]
    assert caplog.text.count("The old settings stay") == 1
    file.unlink()
    assert fresh() is not None


def test_the_running_daemon_asks_for_fresh_settings(bench: Bench) -> None:
    stop = threading.Event()
    asked = []

    def fresh() -> Means | None:
        asked.append(1)
        if len(asked) == 2:
            stop.set()
        return means(bench, poll_s=0.01)

    with bench.daemon(polling=True, poll_s=0.01) as daemon:
        daemon.run(stop, fresh)
    assert len(asked) == 2


def test_parked_is_news_too(bench: Bench, announcer: Announcer, address: str) -> None:
    def full(order: object) -> object:
        raise NoSpace("No space.")

    bench.behaviour = full  # type: ignore[assignment]
    announcer.adopt(address, notify=False)
    with bench.daemon() as daemon:
        bench.drop("a.xml")
        bench.settle(daemon)
    announcer.end()
    assert [news["state"] for news in Listener.heard] == ["parked"]
