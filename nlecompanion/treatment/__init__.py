"""From voice and background to the cleaned clip."""
