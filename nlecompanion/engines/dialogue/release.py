"""What ships: the weights' sum and the figures measured with them."""

from __future__ import annotations

#: SHA-256 of `weights.safetensors` beside this file.
WEIGHTS_SHA256 = "b9872fb79f6957f8d2e622c6b542f145055c6676ca90824c0037f71518990484"
#: Mean SI-SDR improvement over music, noise and music+noise, by tests/benchmarks/separation.py.
MERIT_DB = 7.42
VERSION = "1"
