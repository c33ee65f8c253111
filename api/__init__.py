"""The HTTP side: actions and producers write, the inbox reads."""
