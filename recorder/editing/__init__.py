"""Captures -> capture, without a Kafka: cut takes a part of one, merge joins several; ledger and history stay true."""
