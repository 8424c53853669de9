"""The command line as a user meets it: help, errors in one line, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from nlecompanion.cli import main


def call(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, words)
    return result.exit_code, result.output


@pytest.mark.parametrize("command", ["run", "demo", "watch", "doctor", "engines"])
def test_every_command_has_help(command: str) -> None:
    code, output = call(command, "--help")
    assert code == 0
    assert "Usage" in output


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from nlecompanion.cli import main\n"
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0\n"
        "heavy = {'torch', 'numpy', 'opentimelineio', 'av', 'scipy', 'lxml', 'onnxruntime'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "words",
    [
        ("run", "nothing here.xml"),
        ("run", "x.xml", "--profile", "expose"),
        ("run", "x.xml", "--handles", "11"),
        ("run", "x.xml", "--map", "D:/Media"),
        ("run", "x.xml", "--engine", "magic"),
    ],
)
def test_unusable_input_is_one_line_and_exit_code_2(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, output = call(*words)
    assert code == 2
    assert len(output.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_timeline_says_what_to_export(tmp_path: Path) -> None:
    document = tmp_path / "notes.txt"
    document.write_text("hello")
    code, output = call("run", str(document))
    assert code == 2
    assert ".otio" in output
    assert ".xml" in output


def test_engines_and_doctor_speak_json() -> None:
    code, output = call("engines", "--json")
    assert code == 0
    listed = {engine["name"]: engine for engine in json.loads(output)}
    assert {"dsp", "demucs"} <= set(listed)
    assert listed["dsp"]["ready"]
    code, output = call("doctor", "--json")
    assert {finding["what"] for finding in json.loads(output)} >= {"ffmpeg", "engine dsp"}


def test_doctor_names_the_fix_for_a_folder_that_is_not_there(tmp_path: Path) -> None:
    code, output = call("doctor", "--folder", str(tmp_path / "nowhere"))
    assert code == 1
    assert "mkdir" in output


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("intensty_db = 3", "Did you mean intensity_db"),
        ("intensity_db = 300", "between 0 and 60"),
        ("intensity_db = 'much'", "number"),
        ("intensity_db = ", "TOML"),
    ],
)
def test_a_profile_that_cannot_be_used_says_why(tmp_path: Path, text: str, hint: str) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text(text)
    code, output = call("run", "x.xml", "--profile", str(profile))
    assert code == 2
    assert hint in output


def test_an_unknown_setting_names_the_nearest(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text("handle_s = 1")
    code, output = call("run", "x.xml", "--settings", str(settings))
    assert code == 2
    assert "Did you mean handles_s" in output


def test_the_demo_delivers(tmp_path: Path) -> None:
    code, output = call("demo", "--out", str(tmp_path), "--engine", "dsp", "--json")
    assert code == 0
    told = json.loads(output)
    assert told["summary"]["cleaned"] == 7
    assert Path(told["document"]).is_file()
    marked = [use for use in told["uses"] if use["marked"]]
    assert [use["left_alone"].split(":")[0] for use in marked] == ["retimed"]
