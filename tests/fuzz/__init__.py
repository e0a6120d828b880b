"""Requests of every kind against a server process: what it answers can always be read, and is never its own fault."""
