"""A user's own keys beside a timeline or in the watched folder go before the profile's."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlecompanion.errors import SettingsError
from nlecompanion.settings import (
    OWN_FILE,
    Profile,
    load_profile,
    overlaid,
    own_files,
    profile_names,
)


def test_the_strongest_is_the_one_that_bears_the_timelines_name(tmp_path: Path) -> None:
    inbox = tmp_path / "watched" / "inbox"
    inbox.mkdir(parents=True)
    (tmp_path / "watched" / ".nlecompanion").mkdir()
    document = inbox / "Scene 3.xml"
    assert own_files(document) == ()
    for path in (tmp_path / "watched" / OWN_FILE, inbox / OWN_FILE, inbox / "Scene 3.toml"):
        path.write_text("")
    assert own_files(document) == (
        tmp_path / "watched" / OWN_FILE,
        inbox / OWN_FILE,
        inbox / "Scene 3.toml",
    )


def test_a_folder_above_that_is_not_watched_says_nothing(tmp_path: Path) -> None:
    (tmp_path / OWN_FILE).write_text("")
    (tmp_path / "show").mkdir()
    assert own_files(tmp_path / "show" / "a.xml") == ()


def test_its_keys_replace_the_profiles(tmp_path: Path) -> None:
    path = tmp_path / OWN_FILE
    path.write_text("max_intensity_db = 12\nde_echo = false\n")
    profile, keys = overlaid(Profile(), path)
    assert keys == ("max_intensity_db", "de_echo")
    assert profile.max_intensity_db == 12
    assert profile.de_echo is False
    assert profile.min_intensity_db == Profile().min_intensity_db


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("de_eco = true", "Did you mean de_echo"),
        ("de_echo = 1", "true or false"),
        ("max_intensity_db = true", "must be a number"),
        ("max_intensity_db = 99", "between 0 and 60"),
        ("title = 3", "must be text"),
        ("name = 'x'", "no key 'name'"),
    ],
)
def test_what_cannot_be_used_is_one_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / OWN_FILE
    path.write_text(text)
    with pytest.raises(SettingsError, match=told) as caught:
        overlaid(Profile(), path)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", profile_names())
def test_shipped_profiles_explain_every_key(name: str) -> None:
    folder = Path(__file__).parents[2] / "templates" / "profiles"
    text = (folder / f"{name}.toml").read_text(encoding="utf-8").splitlines()
    for key in Profile.__dataclass_fields__:
        if key in {"name", "title"}:
            continue
        at = [n for n, line in enumerate(text) if line.startswith((f"{key} = ", f"# {key} = "))]
        assert len(at) == 1, key
        assert text[at[0] - 1].startswith("# "), key
    assert load_profile(name).name == name
