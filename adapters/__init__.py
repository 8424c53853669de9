"""One module a document format: read it exactly, patch it exactly."""
