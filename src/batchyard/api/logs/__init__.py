"""The operations of CloudWatch Logs that read what jobs wrote."""
