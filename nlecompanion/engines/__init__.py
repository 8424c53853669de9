"""Engines split a take into voice and background; the rest of the tool does not know which ran."""
