"""Service files for three systems: each is what its system's own tool, or a parser, takes."""

from __future__ import annotations

import plistlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from lxml import etree

from nlecompanion.cli import main
from nlecompanion.errors import WatchError
from nlecompanion.service import Service, install, service_for, state, uninstall

#: Everything that a service file could read as something else than a name.
AWKWARD = 'Über 50% $HOME & "quoted" <b> \\back'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / (AWKWARD if sys.platform != "win32" else "Über 50% $HOME & b")
    path.mkdir()
    return path


def test_systemd_takes_the_unit(folder: Path, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("there is no systemd-analyze here")
    service = service_for(folder, platform="linux", home=tmp_path)
    unit = tmp_path / service.file.name
    unit.write_bytes(service.content)
    done = subprocess.run(
        [analyze, "verify", "--user", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        env={"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    told = [line for line in done.stderr.splitlines() if service.name in line]
    assert (done.returncode, told) == (0, []), done.stderr


def test_the_unit_names_the_folder_as_one_word_without_specifiers(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    service = service_for(folder, ("--settings", "/a b.toml"), platform="linux", home=tmp_path)
    assert service.file.is_relative_to(tmp_path / "config" / "systemd" / "user")
    (line,) = [x for x in service.content.decode().splitlines() if x.startswith("ExecStart=")]
    words = line.removeprefix("ExecStart=").strip('"').split('" "')
    told = line.rsplit('"--" ', 1)[1][1:-1]
    for escaped, char in (("\\\\", "\\"), ('\\"', '"'), ("%%", "%"), ("$$", "$")):
        told = told.replace(escaped, char)
    assert told == str(folder.resolve())
    assert words[1:6] == ["-m", "nlecompanion.cli", "watch", "--settings", "/a b.toml"]


def test_launchd_gets_the_words_as_they_are(folder: Path, tmp_path: Path) -> None:
    service = service_for(folder, platform="darwin", home=tmp_path, executable="/usr/bin/python3")
    agent = plistlib.loads(service.content)
    assert agent["Label"] == service.name == service.file.stem
    assert agent["ProgramArguments"] == [
        "/usr/bin/python3",
        "-m",
        "nlecompanion.cli",
        "watch",
        "--",
        str(folder.resolve()),
    ]
    assert agent["KeepAlive"] == {"SuccessfulExit": False}


def test_windows_gets_a_task_at_login_without_a_time_limit(folder: Path, tmp_path: Path) -> None:
    service = service_for(folder, platform="win32", home=tmp_path, executable="C:\\py w.exe")
    task = etree.fromstring(service.content)
    names = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}

    def text(path: str) -> str | None:
        return task.findtext(path, namespaces=names)

    assert text("t:Actions/t:Exec/t:Command") == "C:\\py w.exe"
    arguments = text("t:Actions/t:Exec/t:Arguments") or ""
    assert arguments == subprocess.list2cmdline(
        ["-m", "nlecompanion.cli", "watch", "--", str(folder.resolve())]
    )
    assert text("t:Settings/t:ExecutionTimeLimit") == "PT0S"
    assert text("t:Settings/t:DisallowStartIfOnBatteries") == "false"


def test_two_folders_of_one_name_are_two_services(tmp_path: Path) -> None:
    first, second = (service_for(tmp_path / where / "Dialogue") for where in ("a", "b"))
    assert first.name != second.name
    assert service_for(tmp_path / "a" / "." / "Dialogue") == first


def test_a_path_with_a_line_break_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WatchError, match="no service file can name"):
        service_for(tmp_path / "a\nExecStartPre=rm", platform="linux")


def test_a_dry_run_writes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = folder.parent / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("LOCALAPPDATA", str(home / "AppData"))
    for what in ("install", "uninstall", "status"):
        result = CliRunner().invoke(main, ["service", what, str(folder), "--dry-run"])
        assert result.exit_code == 0, result.output
        assert "Would run" in result.output
    assert list(home.iterdir()) == []
    assert list(folder.iterdir()) == []


def made_up(tmp_path: Path, *, code: int = 0) -> Service:
    """A service whose system is a Python that writes down what it was asked."""
    log = tmp_path / "log"
    script = f"import sys; open({str(log)!r}, 'a').write(sys.argv[1] + chr(10)); sys.exit({code})"
    command = (sys.executable, "-c", script)
    return Service(
        "made-up",
        tmp_path / "services" / "made-up",
        b"content",
        install=((*command, "reload"), (*command, "enable")),
        uninstall=((*command, "disable"), (*command, "reload")),
        status=(sys.executable, "-c", "print('active')"),
    )


def test_install_writes_then_tells_the_system_and_uninstall_undoes_it(tmp_path: Path) -> None:
    service = made_up(tmp_path)
    assert state(service) == "made-up is not installed."
    install(service)
    assert service.file.read_bytes() == b"content"
    assert state(service).endswith(": active")
    uninstall(service)
    assert not service.file.exists()
    assert (tmp_path / "log").read_text().split() == ["reload", "enable", "disable", "reload"]
    with pytest.raises(WatchError, match="No service is installed"):
        uninstall(service)


def test_a_system_that_refuses_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(WatchError, match="ended with exit code 4: no message"):
        install(made_up(tmp_path, code=4))
