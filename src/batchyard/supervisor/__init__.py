"""The process that outlives the server: it spawns, reaps, limits, writes logs and keeps the exit journal."""
