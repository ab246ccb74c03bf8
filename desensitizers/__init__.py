"""Rules that remove people from records."""
