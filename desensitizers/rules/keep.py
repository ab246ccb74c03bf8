"""keep: the value stays, byte for byte. ``amount: keep``"""

from __future__ import annotations

from desensitizers.rules.base import Rule

RULE = Rule("keep", 1, "stays as it is", effect="keep", uniqueness="injective", example="amount: keep")
