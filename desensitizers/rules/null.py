"""null: the field stays, its value becomes null. ``customer.birthday: null``"""

from __future__ import annotations

from desensitizers.rules.base import Rule

RULE = Rule("null", 1, "becomes null", effect="null", example='customer.birthday: "null"')
