"""The local page on which an editor listens, compares and decides."""
