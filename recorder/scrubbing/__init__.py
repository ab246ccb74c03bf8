"""Capture -> clean capture: runs desensitizers over segments, proves, stamps, publishes."""
