"""Rows: one interface over SQLite (and, later, PostgreSQL). The only room that speaks SQL."""
