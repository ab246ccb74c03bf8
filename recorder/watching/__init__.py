"""Waiting for the bad thing to happen, and then taking the time around it out of Kafka's retention."""
