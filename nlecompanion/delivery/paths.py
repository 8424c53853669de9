"""What becomes of paths in a document that now lies in another folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from nlecompanion.archive import is_archive
from nlecompanion.model import Loss, Use

_ABSOLUTE = re.compile(r"^([a-z][a-z0-9+.-]*:|[/\\])", re.IGNORECASE)


def path_losses(uses: Sequence[Use], document: Path, conformed_name: str) -> list[Loss]:
    """Relative media paths stay as they were written: the rest of the document is not ours.

    Those of a bundle count from inside of it, and their media go with it.
    """
    outward = ("..",) if document.is_dir() or is_archive(document) else ("",)
    relative = sorted(
        {
            use.media_url
            for use in uses
            if use.media_url.startswith(outward)
            and use.media_url
            and not _ABSOLUTE.match(use.media_url)
        }
    )
    if not relative:
        return []
    return [
        Loss(
            conformed_name,
            f"{len(relative)} media paths are relative ({relative[0]} …) and counted from the "
            f"folder of the original document. Import it from there, or relink to that folder.",
        )
    ]
