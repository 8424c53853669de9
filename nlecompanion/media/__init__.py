"""Finding, probing and reading media; writing Broadcast WAV. The only starter of programs."""
