"""Benchmarks. The load generator shares no code with Belfry; the processes run as in production."""
