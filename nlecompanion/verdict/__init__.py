"""Whether a cleaned clip is worth having."""
