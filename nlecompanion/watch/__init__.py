"""The watched folder: stability of files, the journal, the daemon."""
