"""drop: the field, element or header goes. ``debug: drop``

On an object or array it takes all below with it, also what no path names and what comes to be there later.
"""

from __future__ import annotations

from desensitizers.rules.base import Rule

RULE = Rule("drop", 1, "goes, with all that is below it", effect="drop", example="debug: drop")
