"""Cleans the dialogue of an exported timeline and hands back the conformed timeline."""

from pathlib import Path

__version__ = "0.1.0"

# A wheel carries `adapters` and `templates` inside the package; a checkout keeps them beside it.
_package_dir = Path(__file__).resolve().parent
if not (_package_dir / "adapters").is_dir() and (_package_dir.parent / "pyproject.toml").is_file():
    __path__.append(str(_package_dir.parent))
