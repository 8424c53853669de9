"""The service that watches a folder from login on: systemd, launchd, or a Windows task.

Each system is a description: a file, its content, and the commands that make it known.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import jinja2

from nlecompanion.errors import WatchError

_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Service:
    """What is written where, and the commands (program and arguments) that go with it."""

    name: str
    file: Path
    content: bytes
    install: tuple[tuple[str, ...], ...]
    uninstall: tuple[tuple[str, ...], ...]
    status: tuple[str, ...]


def service_for(
    folder: Path,
    options: Sequence[str] = (),
    *,
    platform: str = sys.platform,
    home: Path | None = None,
    executable: str = sys.executable,
) -> Service:
    """The service of this system for a folder; `options` are those of `nlecompanion watch`.

    Raises:
        WatchError: a path that no service file can name.
    """
    root = folder.resolve()
    words = (executable, "-m", "nlecompanion.cli", "watch", *options, "--", str(root))
    if any(not word.isprintable() for word in words):
        raise WatchError(f"{str(root)!a} holds characters that no service file can name.")
    number = hashlib.sha256(os.fsencode(root)).hexdigest()[:8]
    slug = re.sub(r"[^a-z0-9]+", "-", root.name.casefold()).strip("-") or "folder"
    name = f"nlecompanion-{slug}-{number}"
    make = {"darwin": _launchd, "win32": _windows}.get(platform, _systemd)
    return make(name, root, words, home or Path.home())


def install(service: Service) -> str:
    """Writes the file and makes it known; what the commands said.

    Raises:
        WatchError: a command ended badly; the file stays, so that one can look into it.
    """
    try:
        service.file.parent.mkdir(parents=True, exist_ok=True)
        service.file.write_bytes(service.content)
    except OSError as error:
        raise WatchError(f"{service.file} cannot be written ({error.strerror}).") from error
    return "\n".join(filter(None, (_run(command) for command in service.install)))


def uninstall(service: Service) -> str:
    """Ends the service and takes its file away.

    Raises:
        WatchError: it is not installed, or a command ended badly.
    """
    if not service.file.exists():
        raise WatchError(f"No service is installed for this folder: there is no {service.file}.")
    ended, *others = service.uninstall
    told = [_run(ended)]
    service.file.unlink()
    return "\n".join(filter(None, [*told, *(_run(command) for command in others)]))


def state(service: Service) -> str:
    """One line: whether it is installed, and what the system says of it."""
    if not service.file.exists():
        return f"{service.name} is not installed."
    told = subprocess.run(
        service.status,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        timeout=_TIMEOUT_S,
        check=False,
    )
    lines = (told.stdout.strip() or told.stderr.strip() or "no answer").splitlines()
    return f"{service.name} is installed ({service.file}): {lines[0]}"


def _run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WatchError(f"{command[0]} could not be run: {error}.") from error
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).split()) or "no message"
        raise WatchError(f"{' '.join(command)} ended with exit code {done.returncode}: {said}")
    return done.stdout.strip()


def _rendered(template: str, *, is_xml: bool, **values: object) -> str:
    source = resources.files("nlecompanion.templates").joinpath(f"services/{template}")
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, autoescape=is_xml, keep_trailing_newline=True
    )
    return environment.from_string(source.read_text(encoding="utf-8")).render(values)


def _systemd(name: str, root: Path, words: Sequence[str], home: Path) -> Service:
    command = " ".join(_systemd_word(word) for word in words)
    title = str(root).replace("%", "%%").replace("\\", "\\\\")
    content = _rendered(
        "systemd.service.j2", is_xml=False, comment=root, title=title, command=command
    )
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    unit = f"{name}.service"
    user = ("systemctl", "--user")
    return Service(
        name,
        config / "systemd" / "user" / unit,
        content.encode(),
        install=((*user, "daemon-reload"), (*user, "enable", "--now", unit)),
        uninstall=((*user, "disable", "--now", unit), (*user, "daemon-reload")),
        status=(*user, "is-active", unit),
    )


def _systemd_word(word: str) -> str:
    """One word of a command line, as systemd.service(5) has it under "Command lines"."""
    for char, escaped in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        word = word.replace(char, escaped)
    return f'"{word}"'


def _launchd(name: str, _: Path, words: Sequence[str], home: Path) -> Service:
    log = home / "Library" / "Logs" / f"{name}.log"
    content = _rendered("launchd.plist.j2", is_xml=True, name=name, words=words, log=log)
    file = home / "Library" / "LaunchAgents" / f"{name}.plist"
    domain = f"gui/{os.getuid()}" if sys.platform != "win32" else "gui/0"
    return Service(
        name,
        file,
        content.encode(),
        install=(("launchctl", "bootstrap", domain, str(file)),),
        uninstall=(("launchctl", "bootout", f"{domain}/{name}"),),
        status=("launchctl", "print", f"{domain}/{name}"),
    )


def _windows(name: str, root: Path, words: Sequence[str], home: Path) -> Service:
    content = _rendered(
        "windows-task.xml.j2",
        is_xml=True,
        title=root,
        words=words,
        arguments=subprocess.list2cmdline(words[1:]),
    )
    data = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    file = data / "nlecompanion" / f"{name}.xml"
    return Service(
        name,
        file,
        content.encode("utf-16"),
        install=(
            ("schtasks", "/Create", "/TN", name, "/XML", str(file), "/F"),
            ("schtasks", "/Run", "/TN", name),
        ),
        uninstall=(("schtasks", "/Delete", "/TN", name, "/F"),),
        status=("schtasks", "/Query", "/TN", name, "/FO", "CSV", "/NH"),
    )
