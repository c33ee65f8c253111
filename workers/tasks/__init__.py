"""The tasks, one file a step. Each is thin: store, commit, announce. They take ids, never content."""
