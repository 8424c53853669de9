"""Training of the dialogue engine's network; reached only through `nlecompanion train`."""
