"""null: the field stays, its value becomes null. ``customer.birthday: null``

On an object or array it takes all below with it, also what no path names and what comes to be there later.
"""

from __future__ import annotations

from desensitizers.rules.base import Rule

RULE = Rule("null", 1, "becomes null", effect="null", example='customer.birthday: "null"')
