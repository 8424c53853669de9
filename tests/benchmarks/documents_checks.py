"""One document under the contract: read it, conform it with a made-up plan, run every check.

The checks are those of `tests/contract/test_adapter_contract.py`, called on any document; nothing
is declared twice. Where a format has no kit, its documents are read back through the adapter alone
and what needs the format's own eyes is not checked.
"""

from __future__ import annotations

import importlib.util
import inspect
import re
import shutil
import tempfile
import traceback
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from testkit.contract import Case, Conformed, conform, made_up_plan
from testkit.format_kits import KITS, FormatKit

from nlecompanion.media.locate import url_from_path
from nlecompanion.model import ConformPlan, Reason, Use
from nlecompanion.plugins import adapters
from nlecompanion.timeline.contract import Adapter, timeline_facts
from nlecompanion.timeline.uses import read_uses

HELD, NOT_CHECKED = "held", "-"
_SUITE = Path(__file__).resolve().parents[1] / "contract" / "test_adapter_contract.py"
_Check = Callable[..., None]


class NotCheckable(Exception):
    """The format has no kit: nothing but its adapter can look at it."""


def _blind(*_: object) -> Any:
    raise NotCheckable


def checks_of(format_name: str, path: Path) -> dict[str, str]:
    """What became of each numbered check: `HELD`, `NOT_CHECKED`, or what is wrong.

    Raises:
        DocumentError: the adapter refuses the document, or to patch it.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inside = folder / "delivery"
        inside.mkdir()
        if has_kit(format_name, path):
            done = conform(Case(format_name, path.name, lambda _: path), inside)
            return _run(_contract_checks(), done, done, folder)
        document = folder / path.name
        shutil.copytree(path, document) if path.is_dir() else shutil.copy(path, document)
        done = _conform_blind(format_name, document, inside)
        return _run(_blind_checks(), done, _with_lists(done), folder)


def has_kit(format_name: str, path: Path) -> bool:
    """Whether the format's own eyes can look at the document: not into folders and archives."""
    return format_name in KITS and path.is_file() and not zipfile.is_zipfile(path)


def _run(
    checks: Mapping[str, list[_Check]], done: Conformed, everything: Conformed, folder: Path
) -> dict[str, str]:
    results = {}
    for number, functions in checks.items():
        outcomes = []
        for place, check in enumerate(functions):
            scratch = folder / f"check {number} {place}"
            scratch.mkdir()
            known = {"done": done, "tmp_path": scratch}
            if number in _OVER_ALL_FILES:
                known["done"] = everything
            outcomes.append(_outcome(check, known))
        wrong = [text for text in outcomes if text not in (HELD, NOT_CHECKED)]
        results[number] = wrong[0] if wrong else HELD if HELD in outcomes else NOT_CHECKED
    return results


#: A format that cannot hold added tracks writes lists beside its copy: these are looked at there.
_OVER_ALL_FILES = ("3", "4", "7", "9")


def _outcome(check: _Check, known: Mapping[str, object]) -> str:
    wanted = inspect.signature(check).parameters
    if not set(wanted) <= set(known):
        return NOT_CHECKED
    try:
        check(**{name: known[name] for name in wanted})
    except NotCheckable:
        return NOT_CHECKED
    except AssertionError as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        said = " ".join(str(error).split())[:200]
        return f"not held: {said or frame.line} ({frame.name})"
    return HELD


@lru_cache(maxsize=1)
def _contract_checks() -> dict[str, list[_Check]]:
    """The suite's `test_N_…` functions by number."""
    spec = importlib.util.spec_from_file_location("adapter_contract", _SUITE)
    assert spec is not None
    assert spec.loader is not None
    suite = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(suite)
    found: dict[str, list[_Check]] = {}
    for name, function in vars(suite).items():
        number = re.match(r"test_(\d+)_", name)
        if number and callable(function):
            found.setdefault(number[1], []).append(function)
    return dict(sorted(found.items(), key=lambda item: int(item[0])))


def _blind_checks() -> dict[str, list[_Check]]:
    """The suite's, but for two that ask what a format without a kit may be unable to say."""
    return {**_contract_checks(), "6": [_others_read_as_before], "8": [_a_second_patch]}


def _others_read_as_before(done: Conformed) -> None:
    after = {use.addresses: use for use in done.delivered_uses}
    for use in done.uses:
        again = after[use.addresses]
        assert (again.record, again.source) == (use.record, use.source), f"{use.id} moved"
        if use.left_alone is not None:
            assert again.left_alone == use.left_alone, f"{use.id} is not as it was"
        elif again.left_alone is None:
            assert done.losses, f"{use.id} still plays, and no loss says so"
        else:
            assert again.left_alone.reason is Reason.DISABLED, f"{use.id}: {again.left_alone}"


def _a_second_patch(done: Conformed, tmp_path: Path) -> None:
    again = tmp_path / done.target.name
    done.adapter.patch(done.target, ConformPlan(done.delivered_facts.name), again)
    assert read_uses(done.adapter.read(again)) == done.delivered_uses


def _conform_blind(format_name: str, path: Path, folder: Path) -> Conformed:
    """As `testkit.contract.conform`, for any format, and for documents that are folders."""
    adapter = adapters()[format_name]
    before = _bytes_of(path)
    timeline = adapter.read(path)
    uses, facts = read_uses(timeline), timeline_facts(timeline)
    plan = made_up_plan(uses, f"{facts.name or 'Timeline'} clean")
    target = folder / f"delivered{path.suffix}"
    losses = adapter.patch(path, plan, target)
    assert _bytes_of(path) == before, "the dropped document was written to"
    delivered = adapter.read(target)
    return Conformed(
        adapter=adapter,
        kit=FormatKit(**dict.fromkeys((field.name for field in fields(FormatKit)), _blind)),
        original=before,
        delivered=_bytes_of(target),
        facts=facts,
        delivered_facts=timeline_facts(delivered),
        uses=uses,
        delivered_uses=read_uses(delivered),
        plan=plan,
        losses=losses,
        path=path,
        target=target,
    )


def _bytes_of(path: Path) -> bytes:
    if path.is_file():
        return path.read_bytes()
    return b"".join(part.read_bytes() for part in sorted(path.rglob("*")) if part.is_file())


def _with_lists(done: Conformed) -> Conformed:
    """The same with the uses of every document that was written beside the copy."""
    return replace(done, delivered_uses=uses_of_all(done.adapter, done.target))


def uses_of_all(adapter: Adapter, document: Path) -> tuple[Use, ...]:
    """The uses of a conformed document and of those beside it, on the document's own clock.

    A list of one track may start where its first event does.
    """
    timeline = adapter.read(document)
    facts, uses = timeline_facts(timeline), list(read_uses(timeline))
    for path in sorted(document.parent.glob(f"*{document.suffix}")):
        if path == document:
            continue
        beside = adapter.read(path)
        shift_s = (timeline_facts(beside).start_frame - facts.start_frame) / facts.rate
        for use in read_uses(beside):
            record = replace(use.record, start_s=use.record.start_s + shift_s)
            is_path = use.media_url.startswith("/")
            url = url_from_path(Path(use.media_url)) if is_path else use.media_url
            uses.append(replace(use, record=record, media_url=url))
    return tuple(uses)
