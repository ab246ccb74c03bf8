"""A small payment system on Kafka that can be recorded, broken and replayed into; see README.md."""
