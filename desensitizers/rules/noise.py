"""noise: a number near by; the same number always the same one. ``amount: {rule: noise, percent: 5}``

The distance is keyed: who has no secret can't take it away, and averages stay about what they were. `amount` instead
of `percent` gives the most that it moves by. ``min`` and ``max`` hold the result.
"""

from __future__ import annotations

import hmac
from decimal import Decimal

from desensitizers.domains import Domain, default_domain
from desensitizers.rules.base import Action, Context, Option, Options, Rule, each
from desensitizers.rules.figures import EXACT, SUPPORTED, on_figures

_VERSION = 1


def _build(options: Options, domain: Domain | None, context: Context) -> Action:
    domain = domain or default_domain("hex", context.keyring, "default:noise")
    key = domain.key("noise", _VERSION)
    percent, amount = options.get("percent"), options.get("amount")
    least, greatest = _bound(options, "min"), _bound(options, "max")

    def noisy(number: Decimal) -> Decimal:
        spread = amount if isinstance(amount, Decimal) else EXACT.divide(abs(number) * Decimal(str(percent)), 100)
        spelled = f"{number.normalize(EXACT):f}".encode()
        bits = int.from_bytes(hmac.digest(key, spelled, "sha256")[:8], "big")
        step = EXACT.divide(Decimal(2 * bits + 1 - (1 << 64)), 1 << 64)  # between -1 and 1, and never 0
        moved = EXACT.add(number, EXACT.multiply(spread, step))
        moved = max(moved, least) if least is not None else moved
        return min(moved, greatest) if greatest is not None else moved

    return Action(each(on_figures(noisy)), "merges", SUPPORTED, least=least, greatest=greatest)


def _bound(options: Options, name: str) -> Decimal | None:
    return Decimal(str(options[name])) if name in options else None


def _check(options: Options) -> str:
    if ("percent" in options) == ("amount" in options):
        return "rule 'noise' needs either 'percent' or 'amount'."
    least, greatest = _bound(options, "min"), _bound(options, "max")
    if least is not None and greatest is not None and least > greatest:
        return "'min' is greater than 'max'."
    return ""


RULE = Rule(
    "noise",
    _VERSION,
    "becomes a number near by",
    types=SUPPORTED,
    options={
        "percent": Option("number", "the most that it moves by, in percent"),
        "amount": Option("number", "the most that it moves by"),
        "min": Option("scalar", "the least result"),
        "max": Option("scalar", "the greatest result"),
    },
    domain="optional",
    build=_build,
    check=_check,
    searched=False,
    example="amount: {rule: noise, percent: 5}",
)
