"""The truest tests: real client programs against a real server process that really runs jobs."""
