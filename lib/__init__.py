"""Mechanisms that several packages share: the parsing of settings, group commit, circuit breaker, failpoints."""
