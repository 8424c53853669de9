"""`python -m nlecompanion.training`: the same as `nlecompanion train`."""

from nlecompanion.training.cli import train

train()
