"""Sentences that always hold, tried on what Hypothesis thinks up."""
