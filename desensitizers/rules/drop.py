"""drop: the field, element or header goes, with everything below it. ``debug: drop``"""

from __future__ import annotations

from desensitizers.rules.base import Rule

RULE = Rule("drop", 1, "goes, with all that is below it", effect="drop", example="debug: drop")
