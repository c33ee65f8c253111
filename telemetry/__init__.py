"""What processes tell of themselves: how errors are logged, and how many lines of a kind."""
