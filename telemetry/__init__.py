"""Logging: its format, how errors are described, and the rate limit for log events."""
