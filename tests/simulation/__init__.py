"""The seeded crash simulation: the real engine over the real SQLite in a world that breaks as its seed says."""
