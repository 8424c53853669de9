"""Document → uses → regions; the conform plan."""
