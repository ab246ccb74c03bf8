"""Capture, clean and replay what Kafka carried."""
