"""Append and read what attempts wrote; CloudWatch's tokens and ordering."""
