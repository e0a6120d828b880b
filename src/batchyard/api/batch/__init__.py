"""The operations of AWS Batch."""
