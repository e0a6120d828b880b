"""Bytes to (operation, dict) and back, driven by botocore's service model; knows nothing of Batch."""
