"""The migrations of the database schema; README.md has their rules."""
