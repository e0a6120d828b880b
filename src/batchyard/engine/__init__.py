"""The only place that applies decisions: one loop, one writer of status."""
