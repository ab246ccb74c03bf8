"""regex_replace: another text for what a pattern matches. ``ref: {rule: regex_replace, pattern: '\\d{4,}', with: '#'}``

The pattern is RE2's: its time grows with the text's length and nothing else, whatever a text holds. ``\\1`` in `with`
is the first group. A text without a match fails, because nothing would be taken from it; ``unmatched: keep`` lets it
pass.
"""

from __future__ import annotations

from collections.abc import Sequence

from desensitizers.domains import Domain
from desensitizers.errors import UnfitError
from desensitizers.rules.base import TEXT, Action, Context, Option, Options, Rule, Scalar


def _build(options: Options, _domain: Domain | None, _context: Context) -> Action:
    import pyarrow as pa
    import pyarrow.compute as pc

    pattern, replacement = str(options["pattern"]), str(options["with"])
    strict = options.get("unmatched", "fail") == "fail"

    def rewrite(values: Sequence[Scalar]) -> list[Scalar]:
        texts = pa.array([str(value).encode("utf-8", "surrogatepass") for value in values], pa.binary())
        if strict and not pc.all(pc.match_substring_regex(texts, pattern)).as_py():
            raise UnfitError("has nothing that the pattern of rule 'regex_replace' matches")
        done = pc.replace_substring_regex(texts, pattern, replacement)
        return [text.decode("utf-8", "surrogatepass") for text in done.to_pylist()]

    return Action(rewrite, "merges", TEXT)


def _check(options: Options) -> str:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        pc.replace_substring_regex(pa.array([b""], pa.binary()), str(options["pattern"]), str(options["with"]))
    except pa.ArrowInvalid as error:
        reason = str(error).partition("\n")[0]
        return f"pattern and with are RE2's, without look-around or backreferences in the pattern: {reason}."
    return ""


RULE = Rule(
    "regex_replace",
    1,
    "what a pattern matches becomes something else",
    types=TEXT,
    options={
        "pattern": Option("text", "what is replaced, everywhere in the text (RE2)"),
        "with": Option("text", r"what stands there instead; \1 is the first group"),
        "unmatched": Option("text", "what happens to a text without a match", ("fail", "keep")),
    },
    required=frozenset({"pattern", "with"}),
    build=_build,
    check=_check,
    example=r"ref: {rule: regex_replace, pattern: '\d{4,}', with: '#'}",
)
