"""Surrogates: what stands where an original stood."""
