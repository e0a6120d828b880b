"""Scheduling policies on trial: traces of real or generated work, replayed at simulated speed against the same pure
core that places jobs in the server."""
