"""Measuring Belfry from outside: load that shares no code with it, against processes as they run in production."""
