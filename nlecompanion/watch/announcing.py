"""Tells the world outside that a job has ended: a webhook, a notification on the desktop.

Both are options, off by default, and never hold up or fail a job: they run in a thread of their
own, with a time limit, and what goes wrong is a line in the log.
"""

from __future__ import annotations

import json
import logging
import queue
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

logger = logging.getLogger(__name__)

_STATES = frozenset({"done", "failed", "parked"})
_TIMEOUT_S = 10.0
_GOODBYE_S = 12.0
#: Where the other side hangs, later news are dropped rather than heaped up.
_MAX_WAITING = 100
_FIELDS = ("job", "document", "state", "state_before", "profile", "note")


class Announcer(logging.Handler):
    """A handler of state changes that passes on the ends of jobs."""

    def __init__(self) -> None:
        super().__init__()
        self._news: queue.Queue[dict[str, Any] | None] = queue.Queue(_MAX_WAITING)
        self._webhook = ""
        self._notify = False
        self._thread: threading.Thread | None = None

    def adopt(self, webhook: str, *, notify: bool) -> None:
        """From now on to this address (none where it is empty), and to the desktop if `notify`."""
        self._webhook, self._notify = webhook, notify
        if (webhook or notify) and self._thread is None:
            self._thread = threading.Thread(target=self._tell_all, daemon=True)
            self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Called with every record of the daemon."""
        values = vars(record)
        if self._thread is None or values.get("state") not in _STATES:
            return
        try:
            self._news.put_nowait({name: values.get(name) for name in _FIELDS})
        except queue.Full:
            logger.warning("%d announcements wait already; this one is dropped", _MAX_WAITING)

    def end(self) -> None:
        """Says what is still to be said, for some seconds."""
        if self._thread is None:
            return
        try:
            self._news.put(None, timeout=_GOODBYE_S)
        except queue.Full:
            return
        self._thread.join(_GOODBYE_S)

    def _tell_all(self) -> None:
        while (news := self._news.get()) is not None:
            if self._webhook:
                _post(self._webhook, news)
            if self._notify:
                _show(news)


@contextmanager
def announcing() -> Iterator[Announcer]:
    """An announcer of the daemon's state changes, for as long as the context lasts."""
    announcer = Announcer()
    states = logging.getLogger("nlecompanion.watch.states")
    states.addHandler(announcer)
    try:
        yield announcer
    finally:
        states.removeHandler(announcer)
        announcer.end()


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """News go to the address that was named, and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        """Follows none."""


def _post(address: str, news: dict[str, Any]) -> None:
    request = urllib.request.Request(
        address, json.dumps(news).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        with opener.open(request, timeout=_TIMEOUT_S):
            pass
    except (OSError, ValueError) as error:
        logger.warning("The webhook did not take the news: %s", error, extra={"event": "trouble"})


def notification_command(title: str, text: str, platform: str = sys.platform) -> list[str] | None:
    """The program that shows a notification here, with its arguments; None where there is none.

    Names from outside are arguments or environment of their own, never part of a program text.
    """
    if platform == "darwin" and (osascript := shutil.which("osascript")):
        script = (
            "on run argv\ndisplay notification (item 2 of argv) with title (item 1 of argv)\nend"
        )
        return [osascript, "-e", script, "--", title, text]
    if platform == "win32" and (shell := shutil.which("powershell")):
        script = (
            "Add-Type -AssemblyName System.Windows.Forms;"
            "$i = New-Object System.Windows.Forms.NotifyIcon;"
            "$i.Icon = [System.Drawing.SystemIcons]::Information; $i.Visible = $true;"
            "$i.ShowBalloonTip(5000, $env:NLE_TITLE, $env:NLE_TEXT, 'Info'); Start-Sleep 5"
        )
        return [shell, "-NoProfile", "-NonInteractive", "-Command", script]
    if notify := shutil.which("notify-send"):
        return [notify, "--app-name=nlecompanion", "--", title, text]
    return None


def _show(news: dict[str, Any]) -> None:
    import os

    title, text = f"{news['document']}: {news['state']}", str(news["note"] or "")
    command = notification_command(title, text)
    if command is None:
        logger.warning("There is no program here that shows notifications")
        return
    environment = os.environ | {"NLE_TITLE": title, "NLE_TEXT": text}
    try:
        subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        logger.warning("No notification could be shown: %s", error)
