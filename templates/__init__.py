"""Profiles and texts that the package reads at run time."""
