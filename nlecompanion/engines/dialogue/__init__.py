"""The dialogue engine: our own small network for voice against music, effects and noise.

`factory` is all that is imported to find out whether it can run; `network` and `splitter` bring
torch and are imported late.
"""
