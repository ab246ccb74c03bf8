"""Avro bodies, rewritten where they lie by a program made of the schema and the rules."""
