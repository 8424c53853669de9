"""What the page is told of deliveries and their uses, also of those with something wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from testkit.review import Page, a_delivery, only, serving, uses_of

from nlecompanion.review.pictures import peaks

# Looking


def test_a_delivery_is_listed_with_what_became_of_its_uses(page: Page) -> None:
    (listed,) = page.get("/api/deliveries").json
    assert listed["name"] == "Scene 3 clean"
    assert listed["document"] == "Scene 3.xml"
    assert listed["uses"] == 3
    assert listed["counts"] == {
        "unfixable": 1, "open": 0, "listen": 1, "cleaned": 1, "good": 0, "left": 0,
    }  # fmt: skip
    assert listed["needs_person"] == 2
    assert listed["trouble"] is None


def test_uses_come_with_figures_and_reasons(page: Page) -> None:
    told = page.get(f"/api/d/{only(page)}/uses").json
    assert told["rate"] == "25"
    first, warned, lost = told["uses"]
    assert (first["in"], first["out"]) == ("01:00:00:00", "01:00:10:00")
    assert first["kind"] == "cleaned"
    assert first["intensity_db"] == 12.0
    assert first["reasons"] == ["the voice stands 9.5 dB above it"]
    assert first["needs_person"] is False
    assert warned["needs_person"] is True
    assert (lost["kind"], lost["unfixable"], lost["done"]) == ("unfixable", "masked", "offered")
    assert lost["flags"]
    # 12 dB of a background 9.5 dB under the voice: sqrt(1 / (1 + 8.9)) of its level, by 3/4.
    assert first["change"] == pytest.approx(0.317 * (1 - 10 ** (-12 / 20)), abs=0.002)
    assert first["decision"]["intensity_db"] is None
    assert first["revision"] == 0


def test_one_use_has_its_card_and_its_file(page: Page) -> None:
    first, *others = uses_of(page)
    told = page.get(f"/api/d/{only(page)}/uses/{first['id']}").json
    facts = {fact["what"]: fact["text"] for fact in told["card"]["facts"]}
    assert facts["Voice against background"].startswith("The voice stands 9.5 dB above")
    assert told["card"]["ledger"]["steps"]
    assert told["stems"]["state"] == "none"
    assert told["shares"] == [other["id"] for other in others]
    answer = page.get(f"/m/{told['cleaned']['media']}")
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.content[:4] == b"RIFF"


def test_folders_are_searched_but_not_links_nor_what_is_hidden(root: Path) -> None:
    made = root / "Scene 3 clean"
    for name in ("a/b/deep clean", ".hidden clean", "a/x y 2"):
        shutil.copytree(made, root / name)
    (root / "linked").symlink_to(made)
    with serving(root) as page:
        names = {listed["folder"] for listed in page.get("/api/deliveries").json}
        ids = {listed["id"] for listed in page.get("/api/deliveries").json}
    inside = (Path("Scene 3 clean"), Path("a") / "b" / "deep clean", Path("a") / "x y 2")
    assert names == set(map(str, inside))
    assert len(ids) == 3
    with serving(made) as page:
        assert page.get("/api/deliveries").json[0]["folder"] == "."


def test_what_is_delivered_later_is_found(page: Page, root: Path) -> None:
    assert len(page.get("/api/deliveries").json) == 1
    shutil.copytree(root / "Scene 3 clean", root / "Scene 3 clean 2")
    assert len(page.get("/api/deliveries").json) == 2


# Bad input


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "damaged"),
        (b"{", "damaged"),
        (b"[1]", "damaged"),
        (b"[" * 100_000, "damaged"),
        (b'{"receipt_version": 2}', "damaged"),
        (b'{"receipt_version": true}', "damaged"),
        (b'{"receipt_version": NaN}', "damaged"),
        (b'{"receipt_version": 999}', "newer nlecompanion"),
        (b"\xff\xfe\x00", "damaged"),
    ],
    ids=lambda value: repr(value[:26]),
)
def test_a_receipt_that_cannot_be_read_is_one_line_of_trouble(
    root: Path, content: bytes, told: str
) -> None:
    (root / "Scene 3 clean" / "receipt.json").write_bytes(content)
    with serving(root) as page:
        (listed,) = page.get("/api/deliveries").json
        assert told in listed["trouble"]
        assert "\n" not in listed["trouble"]
        assert page.get(f"/d/{listed['id']}").status == 200
        uses = page.get(f"/api/d/{listed['id']}/uses").json
        assert uses["uses"] == []
        assert uses["delivery"]["cannot_deliver"] == listed["trouble"]
        assert page.post(f"/api/d/{listed['id']}/deliver", {}).status == 409


def changed(folder: Path, change: Any) -> None:
    values = json.loads((folder / "receipt.json").read_text())
    change(values)
    (folder / "receipt.json").write_text(json.dumps(values))


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v["timeline"].update(rate="0"),
        lambda v: v["timeline"].update(rate="1/0"),
        lambda v: v["timeline"].update(start="soon"),
        lambda v: v.update(uses={}),
        lambda v: v.update(uses=[3]),
        lambda v: v["uses"][0].update(record=None),
        lambda v: v["uses"][0]["record"].update(start_s="x"),
        lambda v: v["uses"][0]["source"].update(duration_s=-1),
        lambda v: v.update(regions={"r1": 3}),
        lambda v: v.update(regions=[]),
    ],
)
def test_a_receipt_that_tells_nonsense_is_trouble_too(root: Path, change: Any) -> None:
    changed(root / "Scene 3 clean", change)
    with serving(root) as page:
        (listed,) = page.get("/api/deliveries").json
        assert "damaged" in listed["trouble"]


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.update(regions={}),
        lambda v: v["uses"][0].update(measured=None, verdict=None, plan=None),
        lambda v: v["uses"][0].update(measured={"speech": 5}, verdict={"ruling": "fine"}),
        lambda v: v["uses"][0].update(name=None, track=None, id=None),
        lambda v: v["uses"][0].update(id="../x"),
        lambda v: [use.update(id="same") for use in v["uses"]],
        lambda v: v["uses"][0].update(left_alone={"reason": "of another version"}),
        lambda v: v["regions"]["r1"].update(ladder=None),
        lambda v: v.update(settings=None, profile=None, engine=None, document={}),
        lambda v: v["uses"][0]["source"].update(channels="all"),
    ],
)
def test_what_is_missing_in_a_receipt_is_missing_on_the_page(root: Path, change: Any) -> None:
    changed(root / "Scene 3 clean", change)
    with serving(root) as page:
        uses = uses_of(page)
        assert len(uses) == len({use["id"] for use in uses}) == 3
        for use in uses:
            answer = page.get(f"/api/d/{only(page)}/uses/{use['id']}")
            assert answer.status == 200, answer.content


def test_half_deleted_deliveries_are_shown_as_far_as_they_go(root: Path) -> None:
    folder = root / "Scene 3 clean"
    shutil.rmtree(folder / "clips")
    with serving(root) as page:
        use = uses_of(page)[0]
        told = page.get(f"/api/d/{only(page)}/uses/{use['id']}").json
        assert told["cleaned"] is None
        assert told["card"]["facts"]
        # Now the receipt goes too, while the page is open.
        (folder / "clips").mkdir()
        (folder / "report.html").write_text("")
        (folder / "receipt.json").unlink()
        (listed,) = page.get("/api/deliveries").json
        assert "missing" in listed["trouble"]
        shutil.rmtree(folder)
        assert page.get(f"/api/d/{listed['id']}/uses").status == 404
        assert page.get(f"/d/{listed['id']}").status == 404
        assert page.get("/api/deliveries").json == []


def test_no_uses_and_no_deliveries(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with serving(tmp_path / "empty") as page:
        assert page.get("/").status == 200
        assert page.get("/api/deliveries").json == []
        assert page.get("/api/jobs").json == []
        assert page.get("/api/d/none/uses").status == 404
    a_delivery(tmp_path / "out", uses=0)
    with serving(tmp_path / "out") as page:
        assert uses_of(page) == []
        assert page.get(f"/d/{only(page)}").status == 200


def test_five_thousand_uses(tmp_path: Path) -> None:
    folder = a_delivery(tmp_path / "out", uses=2)

    def grow(values: dict[str, Any]) -> None:
        values["uses"] = [{**values["uses"][0], "id": f"A1-{number:04}"} for number in range(5000)]

    changed(folder, grow)
    with serving(tmp_path / "out") as page:
        uses = uses_of(page)
        assert len(uses) == 5000
        path = f"/api/d/{only(page)}/uses/{uses[4321]['id']}"
        assert page.post(f"{path}/decision", {"set": {"adr": True}}).status == 200
        assert page.get(path).json["decision"]["adr"] is True


# Media


def test_sound_is_served_by_ranges(page: Page) -> None:
    use = uses_of(page)[0]["id"]
    told = page.get(f"/api/d/{only(page)}/uses/{use}").json
    path = f"/m/{told['cleaned']['media']}"
    whole = page.get(path)
    size = len(whole.content)
    assert whole.headers["accept-ranges"] == "bytes"
    assert int(whole.headers["content-length"]) == size
    for asked, first, end in [
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, size),
        ("bytes=-50", size - 50, size),
        (f"bytes={size - 1}-{size + 500}", size - 1, size),
    ]:
        part = page.get(path, Range=asked)
        assert part.status == 206, asked
        assert part.content == whole.content[first:end]
        assert part.headers["content-range"] == f"bytes {first}-{end - 1}/{size}"
    beyond = page.get(path, Range=f"bytes={size}-")
    assert beyond.status == 416
    assert beyond.headers["content-range"] == f"bytes */{size}"
    assert page.get(path, Range="lines=1-2").status == 400
    # A file that has changed is not mixed with the part that is here already.
    changed_since = page.get(path, Range="bytes=0-9", **{"If-Range": '"another"'})
    assert (changed_since.status, len(changed_since.content)) == (200, size)


def test_styles_and_scripts_are_served_once(page: Page) -> None:
    answer = page.get("/static/api.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    again = page.get("/static/api.js", **{"If-None-Match": answer.headers["etag"]})
    assert (again.status, again.content) == (304, b"")


def test_peaks_are_the_same_whatever_the_blocks() -> None:
    sound = np.random.default_rng(1).uniform(-1.2, 1.2, (48_000 + 77, 2)).astype(np.float32)
    whole = peaks([sound], 48_000, len(sound))
    assert whole.shape == (101, 2)
    for size in (1, 479, 480, 481, 50_000):
        parts = [sound[start : start + size] for start in range(0, len(sound), size)]
        assert np.array_equal(peaks(parts, 48_000, len(sound)), whole)
    first = np.clip(np.rint(sound[:480].min() * 127), -127, 127)
    assert whole[0, 0] == first


def test_the_sound_of_the_media_table_is_what_lies_in_the_delivery(page: Page, root: Path) -> None:
    use = uses_of(page)[0]["id"]
    cleaned = page.get(f"/api/d/{only(page)}/uses/{use}").json["cleaned"]
    content = page.get(f"/m/{cleaned['media']}").content
    assert content == (root / "Scene 3 clean" / "clips" / "A003 DX.wav").read_bytes()
    info = soundfile.info(root / "Scene 3 clean" / "clips" / "A003 DX.wav")
    assert 0 <= cleaned["offset_s"] < cleaned["offset_s"] + cleaned["length_s"] <= info.duration
