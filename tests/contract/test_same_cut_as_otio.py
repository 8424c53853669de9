"""The same cut as `.otio`: any adapter's neutral model, with the same plan put into its JSON."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from testkit.contract import CASES, REAL_CASES, Case, made_up_plan
from testkit.format_kits import path_of_url

from nlecompanion import plugins
from nlecompanion.errors import UnsupportedDocument
from nlecompanion.model import Reason
from nlecompanion.timeline.contract import timeline_facts
from nlecompanion.timeline.uses import read_uses

OTHER_FORMATS = [case for case in (*CASES, *REAL_CASES) if case.format != "otio"]
conform_document = importlib.import_module("nlecompanion.adapters.otio_json").conform_document


@pytest.mark.parametrize("case", OTHER_FORMATS, ids=str)
def test_a_plan_fits_the_neutral_model_of_any_format(case: Case, tmp_path: Path) -> None:
    adapters = plugins.adapters()
    try:
        timeline = adapters[case.format].read(case.write(tmp_path))
    except UnsupportedDocument as error:
        pytest.skip(f"refused: {error}")
    uses = read_uses(timeline)
    plan = made_up_plan(uses, "Cut clean")
    conformed, _ = conform_document(timeline.to_json_string().encode(), plan, "neutral")
    path = tmp_path / "same.otio"
    path.write_bytes(conformed)

    again = adapters["otio"].read(path)
    assert again.name == "Cut clean"
    before, after = timeline_facts(timeline), timeline_facts(again)
    assert (after.rate, after.start_frame) == (before.rate, before.start_frame)
    found = sorted(
        (
            str(path_of_url(use.media_url)),
            use.record.start_s,
            use.record.end_s,
            (use.media_start_s or 0) + use.source.start_s,
        )
        for use in read_uses(again)
        if use.track.startswith("DX clean")
    )
    clips = [clip for track in plan.tracks for clip in track.clips]
    assert found == sorted(
        (
            str(clip.media.path),
            clip.record.start_s,
            clip.record.end_s,
            clip.media.start_s + clip.source_in_s,
        )
        for clip in clips
    )
    disabled = [
        use
        for use in read_uses(again)
        if use.left_alone is not None and use.left_alone.reason is Reason.DISABLED
    ]
    assert len(disabled) >= len(plan.disable)
