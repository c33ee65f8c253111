"""Text rendered as JSON once, and the delivered items that hold it."""
