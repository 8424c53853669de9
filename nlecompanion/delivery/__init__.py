"""The folder handed back: complete, or not there at all."""
