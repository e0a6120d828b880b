"""Attempts as containers of an engine with Docker's API: what is asked of the engine, and what it says."""
