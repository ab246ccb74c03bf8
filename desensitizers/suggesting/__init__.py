"""Drafts a policy from what a capture holds: what its names say, what its values look like, and never a value."""
