"""A small scene to try the whole path on: a baker, a reporter, a radio and a humming fridge."""

from nlecompanion.demo.scene import make_scene

__all__ = ["make_scene"]
