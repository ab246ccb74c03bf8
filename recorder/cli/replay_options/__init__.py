"""The options of `blackbox replay`, by theme; their panels are the groups that its help shows."""
