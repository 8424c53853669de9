"""Prepared stems as JSON for the page: what is mixed how, and the ids of the files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from nlecompanion.review.media import MediaTable
from nlecompanion.review.places import cache_folder
from nlecompanion.review.stems import Prepared
from nlecompanion.work.listening_types import Setting

#: Files of a rung that are always there, and those that may be missing.
_FILES, _MAYBE = ("voice", "background"), ("tone", "ride")


def stems_json(found: Prepared, table: MediaTable) -> dict[str, Any] | None:
    """All that the page needs to play a use; None where a file is gone."""
    told, name = found.listening, found.current.name
    rungs = [rung for each in told["rungs"].values() for rung in each]
    drawn = {
        "peaks": f"peaks-{name}.bin",
        "before": f"before-{name}.png",
        "after": f"after-{name}.png",
    }
    files = {rung[part] for rung in rungs for part in (*_FILES, *_MAYBE)} - {None}
    files |= {told["original"], *drawn.values()}
    root = cache_folder()
    ids = {file: table.put(found.folder / file, root) for file in files}
    if None in ids.values():
        return None
    settings = [Setting(**each) for each in told["settings"]]
    current = Setting(found.current.de_echo, found.current.room_tone)
    return {
        **{key: told[key] for key in ("rate_hz", "channels", "length_samples", "cut", "speech")},
        "offset_s": told["offset_samples"] / told["rate_hz"],
        "moment": dict(zip(("start_s", "end_s"), told["moment"], strict=True)),
        "use": dict(zip(("start_s", "end_s"), told["use"], strict=True)),
        "original": ids[told["original"]],
        "original_gain": 1.0,
        "peaks": ids[drawn["peaks"]],
        "spectrograms": {"original": ids[drawn["before"]], "current": ids[drawn["after"]]},
        "settings": [{"key": each.key, **asdict(each)} for each in settings],
        "rungs": {key: [_rung(rung, ids) for rung in each] for key, each in told["rungs"].items()},
        "current": {"key": current.key, "intensity_db": found.current.intensity_db},
    }


def _rung(rung: Mapping[str, Any], ids: Mapping[str, str | None]) -> dict[str, Any]:
    return {
        "intensity_db": rung["intensity_db"],
        "presence_db": rung["presence_db"],
        "voice": ids[rung["voice"]],
        "background": ids[rung["background"]],
        "tone": ids.get(rung["tone"]),
        "background_gain": rung["background_gain"],
        "tone_gain": rung["tone_gain"],
        "level": {"gain": rung["level_gain"], "ride": ids.get(rung["ride"])},
        "de_echo_on": rung["de_echo_on"],
        "limited": rung["limited_s"] > 0,
        "limited_s": rung["limited_s"],
    }
