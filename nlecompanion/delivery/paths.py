"""What becomes of paths in a document that now lies in another folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from nlecompanion.model import Loss, Use
from nlecompanion.settings import Settings

_ABSOLUTE = re.compile(r"^([a-z][a-z0-9+.-]*:|[/\\])", re.IGNORECASE)


def path_losses(uses: Sequence[Use], settings: Settings, conformed: Path) -> list[Loss]:
    """What the editor must know of the paths in the conformed document.

    Relative ones stay as they were written, for the rest of the document is not ours to change;
    cleaned clips are named by this machine's path, which another machine may see elsewhere.
    """
    losses = []
    relative = sorted(
        {u.media_url for u in uses if u.media_url and not _ABSOLUTE.match(u.media_url)}
    )
    if relative:
        losses.append(
            Loss(
                conformed.name,
                f"{len(relative)} media paths are relative ({relative[0]} …) and counted from the "
                f"folder of the original document. Import it from there, or relink to that folder.",
            )
        )
    for prefix, target in settings.path_map:
        if conformed.is_relative_to(Path(target).absolute()):
            losses.append(
                Loss(
                    conformed.name,
                    f"the cleaned clips are named by their path on this machine, below {target}. "
                    f"Where the editor sees that folder as {prefix}, relink them to it once.",
                )
            )
    return losses
