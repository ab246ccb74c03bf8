"""Protobuf bodies, rewritten on the wire: fields that no rule changes keep their bytes and their order."""
