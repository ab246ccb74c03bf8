"""JSON rewritten in place: only the bytes of a changed leaf change."""
