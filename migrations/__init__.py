"""The schema, step by step; see README.md here."""
