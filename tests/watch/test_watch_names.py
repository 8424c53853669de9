import pytest

from nlecompanion.watch.names import delivery_name, is_companion, is_media, is_temporary, shown


@pytest.mark.parametrize(
    "name",
    [
        ".~lock.scene.xml#",
        "~$scene.xml",
        "scene.xml.tmp",
        "SCENE.TMP",
        "scene.xml.part",
        "scene.xml.crdownload",
        ".syncthing.scene.xml.tmp",
        "~syncthing~scene.xml.tmp",
        ".DS_Store",
        "._scene.xml",
        "Thumbs.db",
        "desktop.ini",
        ".#scene.xml",
        "#scene.xml#",
        ".scene.xml.swp",
        "scene.xml.swp",
        "scene.xml~",
        "@eaDir",
        "#recycle",
        "$RECYCLE.BIN",
        "scene.xml.sb-1a2b3c4d-aBcDeF",
        "Icon\r",
        "reel.lck",
        ".hidden.otio",
    ],
)
def test_unfinished_and_hidden_names(name: str) -> None:
    assert is_temporary(name)


@pytest.mark.parametrize(
    "name",
    [
        "scene.xml",
        "scene.otio",
        "scene 100% #2.xml",
        "template.xml",
        "part.xml",
        "departed.part.xml",
        "会議.fcpxml",
        "scene.sync-conflict-20250101-120000-ABCDEFG.xml",
    ],
)
def test_documents(name: str) -> None:
    assert not is_temporary(name)
    assert not is_media(name)


@pytest.mark.parametrize("name", ["a.wav", "A.MOV", "a.aiff", "a.m2ts", "a.mts", "a.reapeaks"])
def test_media(name: str) -> None:
    assert is_media(name)


@pytest.mark.parametrize(
    ("document", "folder"),
    [
        ("scene.xml", "scene"),
        ("scene.v2.xml", "scene.v2"),
        ("a:b*c?.otio", "a_b_c_"),
        ("end. .otio", "end"),
        ("con.xml", "_con"),
        ("Ümlaut 会議.xml", "Ümlaut 会議"),
        ("a\nb\u202ec.xml", "a_b_c"),
        ("raw\udcff.xml", "raw_"),
        ("...", "timeline"),
    ],
)
def test_delivery_names_that_every_disk_takes(document: str, folder: str) -> None:
    assert delivery_name(document) == folder


def test_long_delivery_names_are_cut_between_characters() -> None:
    name = delivery_name("会" * 200 + ".xml")
    assert name == "会" * 50


def test_shown_names_cannot_forge_a_line() -> None:
    assert shown("a\n\x1b[2Jb\u202e\udcff.xml") == r"a\n\x1b[2Jb\u202e\udcff.xml"


@pytest.mark.parametrize("name", ["Scene 3.srt", "Scene 3.VTT", "a.ass", "nlecompanion.toml"])
def test_scripts_and_profiles_lie_beside_documents(name: str) -> None:
    assert is_companion(name)
    assert not is_temporary(name)
    assert not is_companion("Scene 3.xml")
