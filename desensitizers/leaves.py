"""One rule at one kind of place, ready to run: bytes of a leaf in, bytes of a leaf out, remembered.

Distinct values are few compared with records, so every answer is kept in a bounded dictionary keyed by the very
bytes of the leaf; only a value not met before is decoded, canonicalised, keyed and encoded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from decimal import Decimal
from itertools import repeat
from operator import eq
from typing import TYPE_CHECKING, Any

from desensitizers import rules
from desensitizers.domains import Domain
from desensitizers.errors import UnfitError
from desensitizers.extracting import Extract
from desensitizers.json.document import quote, quote_all, unquote, unquote_all
from desensitizers.memos import BESIDE, Beside, Budget, BytesFunction, ManyBytes, Memo
from desensitizers.rules.base import Action, Context, Scalar
from desensitizers.rules.contract import held
from desensitizers.sink import Findings
from desensitizers.spec import ExtractSpec, InsideSpec, Leaf, RuleSpec

if TYPE_CHECKING:
    from desensitizers.explaining import Explanation
    from desensitizers.inside import Inside
    from desensitizers.types import Schemas

REMEMBERED = 1_000_000
"""Answers that all rules of a plan keep together, at least; at most twice as many, which is about 350 MB. What columns
asked for is kept beside it, in at most 256 MB: about three million answers."""
_REMEMBERED_TEXTS = 1_000
_INTEGER = re.compile(rb"-?\d+")
_MOST_DIGITS = 4_000
"""Of a number that a rule works on: Python makes no integers of many more."""


class LeafRules:
    """Makes the rules of a plan and shares equal ones, so that what one place met the other knows.

    `learning` rules change nothing: they only tell the originals, and the texts that may quote them. `schemas` read
    framed payloads; `file` is the policy's, for errors.
    """

    def __init__(
        self,
        context: Context,
        findings: Findings,
        *,
        learning: bool = False,
        schemas: Schemas | None = None,
        file: str = "",
        tags: Sequence[tuple[str, Leaf]] = (),
        explanation: Explanation | None = None,
    ) -> None:
        self.explanation = explanation
        self.beside: dict[str, Sequence[str]] = {}
        """Texts by path in the record at hand, for rules with `by`."""
        self.tag_specs = tags
        self.schemas = schemas
        self.file = file
        self.context = context
        self.findings = findings
        self.learning = learning
        self.budget = Budget(REMEMBERED)
        self._known: dict[object, LeafRule] = {}

    def unknown(self, setting: str, line: int) -> LeafRule | None:
        """The rule for leaves that no path names; None refuses the payload that holds one."""
        return self.make(RuleSpec(setting, line, learn=False), "*") if setting in ("drop", "mask") else None

    def unknown_names(self, setting: str, line: int) -> LeafRule | None:
        """The same for names of members: where values are masked a name becomes a hash, or two could become one."""
        rules = {"drop": "drop", "mask": "hash"}
        return self.make(RuleSpec(rules[setting], line, learn=False), "*") if setting in rules else None

    def tags(self) -> dict[str, LeafRule]:
        """The rules by schema tag."""
        return {name: self.make(leaf, f"tag {name}") for name, leaf in self.tag_specs}

    def make(self, spec: Leaf, path: str) -> LeafRule:
        """The rule for a place. One that searches texts is not shared: each topic's texts are its own."""
        if _scans(spec):
            return LeafRule(spec, path, self, Budget(_REMEMBERED_TEXTS))
        identity = _identity(spec, path)
        if identity not in self._known:
            self._known[identity] = LeafRule(spec, path, self, self.budget)
        made = self._known[identity]
        if made.spec is not spec:
            made = copy(made)  # remembers with the other, and knows its own line
            made.spec = spec
        return made


def _scans(spec: Leaf) -> bool:
    if isinstance(spec, ExtractSpec):
        return any(_scans(group) for _name, group in spec.groups)
    if isinstance(spec, InsideSpec):
        return any(map(_scans, _within(spec)))
    return spec.rule == "scan"


def _within(spec: InsideSpec) -> list[Leaf]:
    return [spec.leaf] if spec.leaf is not None else [leaf for _path, leaf in spec.paths]


def _identity(spec: Leaf, path: str) -> object:
    if isinstance(spec, ExtractSpec):
        return spec.pattern, tuple((name, _identity(group, name)) for name, group in spec.groups)
    if isinstance(spec, InsideSpec):
        paths = tuple((inner, _identity(leaf, inner)) for inner, leaf in spec.paths)
        return spec.encodings, spec.form, spec.leaf and _identity(spec.leaf, path), paths, spec.unknown, path
    options = tuple(sorted(spec.options.items()))
    return spec.rule, spec.domain, options, spec.types, spec.learns(path)


class LeafRule:
    """A rule (or an extract of rules) with its forms: JSON string, JSON number, text, integer, boolean."""

    def __init__(self, spec: Leaf, path: str, made_by: LeafRules, budget: Budget) -> None:
        context = made_by.context
        self.spec = spec
        self._learning = made_by.learning
        self.merges: bool
        self.by = ""
        """The path of the field that the rule also needs; its text is in the `beside` of its maker."""
        self._by = ""
        self._noted = ""
        """The domain that its originals are noted under."""
        self._tells_pairs = False
        self._space = ""
        self.least: Decimal | int | None = None
        self.greatest: Decimal | int | None = None
        self._findings = made_by.findings
        if isinstance(spec, ExtractSpec):
            self._within: Extract | Inside = Extract(spec, made_by)
            self.name, self.effect, self.types = "extract", "rewrite", frozenset({"string"})
            self.learns = False
            self.merges = any(leaf.merges for leaf in self._within.leaves)
            text: Callable[[str], str] = self._within.text
        elif isinstance(spec, InsideSpec):
            from desensitizers.inside import Inside

            self._within = Inside(spec, path, made_by)
            self.name, self.effect, self.types = "inside", "rewrite", frozenset({"string"})
            self.learns = False
            self.merges = any(leaf.merges for leaf in self._within.leaves)
            text = self._within.text
        else:
            rule = rules.rule(spec.rule)
            self.name, self.effect = rule.name, rule.effect
            self.learns = spec.learns(path) and spec.rule != "scan" and (rule.searched or spec.learn is True)
            self.by = str(spec.options.get("by", ""))
            self._domain: Domain | None = context.domains.get(spec.domain) if spec.domain else None
            self._action: Action | None = None
            self.types = rule.types
            if rule.build is not None:
                action = self._action = held(rule, rule.build(spec.options, self._domain, context), spec.options)
                self.types, self.least, self.greatest = action.types, action.least, action.greatest
            self.merges = self.effect != "keep" and (self._action is None or self._action.uniqueness == "merges")
            self._noted = (self._action.noted_as if self._action else "") or (self._domain.name if self._domain else "")
            self._tells_pairs = not self.merges and self.name != "pseudonym"  # a domain tells of its own pairs
            self._space = f"{self._domain.name if self._domain else 'default'}/{self.name}"
            text = self._rewrite_text
        self.text = text

        def memo(function: BytesFunction, many: ManyBytes | None = None) -> Memo | Beside:
            if self.by:
                return Beside(budget.memo(self._with_other(function)), made_by.beside, self.by)
            return plain(function, many)

        plain = budget.memo
        self.memo = memo
        self.json_string = memo(self._json_string, self._json_strings)
        self.json_number = memo(self._json_number)
        self.bytes_text = memo(lambda data: text(data.decode()).encode(), self._bytes_texts)
        self.bytes_raw = memo(self._raw)
        self.note_string = plain(self._note_string)
        self.note_number = plain(self._note_number)
        self.note_bytes = plain(self._note_bytes)

    @property
    def wants_learned(self) -> bool:
        """Whether it searches texts for originals replaced elsewhere."""
        spec = self.spec
        if not isinstance(spec, RuleSpec):
            return any(leaf.wants_learned for leaf in self._within.leaves)
        names = spec.options.get("detectors", ())
        return isinstance(names, tuple) and "learned" in names

    def untouched(self, texts: Any) -> bool:
        """Whether all of a binary Arrow array of texts are sure to stay, and to hold no original."""
        return (
            isinstance(self.spec, ExtractSpec) and isinstance(self._within, Extract) and self._within.untouched(texts)
        )

    def accepts(self, kind: str) -> bool:
        """Whether the policy gave this rule leaves of this JSON kind (string, number, boolean, null)."""
        types = self.spec.types if isinstance(self.spec, RuleSpec) else None
        return types is None or kind in types or kind == "null"

    def can(self, kind: str) -> bool:
        """Whether the rule is able to work on this JSON kind."""
        return kind in self.types or (kind == "number" and "integer" in self.types)

    def scalar(self, value: Scalar, text: str) -> Scalar:
        """The replacement of one value, in its type; `text` is how the original is spelled. Raises UnfitError."""
        if self._action is None:
            return value
        if self.learns:
            self._learn(text)
        if self._learning:
            return value
        try:
            if self._action.rewrite_by is not None:
                result = self._action.rewrite_by([value], [self._by])[0]
            else:
                result = self._action.rewrite([value])[0]
        except UnfitError:
            raise
        except Exception as error:  # noqa: BLE001 - a rule that fails must not release a value, nor name it
            raise UnfitError(f"rule '{self.name}' failed ({type(error).__name__})") from None
        if isinstance(value, str) and not isinstance(result, str):
            raise UnfitError(f"rule '{self.name}' gave another type than it got")
        if self._tells_pairs:
            before = self._domain.canonical(text) if self._domain else text
            self._findings.pair(self._space, before, str(result))
        return result

    def note(self, text: str) -> None:
        """Tell of an original that goes without being rewritten."""
        if self.learns and text:
            self._learn(text)

    @contextmanager
    def trying(self) -> Iterator[None]:
        """What the rule is asked within tells nobody, and is done even by a rule that only looks."""
        findings, learning = self._findings, self._learning
        before = findings.originals, findings.pairs, findings.texts
        findings.originals, findings.pairs, findings.texts = set(), {}, None
        self._learning = False
        try:
            yield
        finally:
            findings.originals, findings.pairs, findings.texts = before
            self._learning = learning

    def _with_other(self, function: BytesFunction) -> BytesFunction:
        """The function for a leaf's bytes, `BESIDE` and the UTF-8 text of the field that `by` names ("" is none)."""

        def with_other(joined: bytes) -> bytes:
            data, _, other = joined.rpartition(BESIDE)
            self._by = other.decode()
            try:
                return function(data)
            finally:
                self._by = ""

        return with_other

    def _learn(self, text: str) -> None:
        self._findings.original(text, self._noted)

    def _rewrite_text(self, text: str) -> str:
        if not text or self._action is None:
            return text
        if self._findings.texts is not None and self.wants_learned:
            self._findings.texts.append(text)
        if self._learning and self.name == "scan":
            return text
        return str(self.scalar(text, text))

    def texts(self, texts: list[str]) -> list[str]:
        """`text` of each of many. Raises what that raises, and doesn't say for which."""
        if not all(texts):
            return list(map(self.text, texts))
        if not isinstance(self.spec, RuleSpec):
            return self._within.texts(texts)
        if self._action is None:
            return texts
        if self._findings.texts is not None and self.wants_learned:
            self._findings.texts += texts
        if self._learning and self.name == "scan":
            return texts
        if self.learns:
            self._findings.originals.update(zip(repeat(self._noted), texts))
        if self._learning:
            return texts
        if self._action.rewrite_by is not None:
            return [str(self.scalar(text, text)) for text in texts]
        try:
            results = self._action.rewrite(texts)
        except UnfitError:
            raise
        except Exception as error:  # noqa: BLE001 - a rule that fails must not release a value, nor name it
            raise UnfitError(f"rule '{self.name}' failed ({type(error).__name__})") from None
        done = [result for result in results if isinstance(result, str)]
        if len(done) != len(texts):
            raise UnfitError(f"rule '{self.name}' gave another type than it got")
        if self._tells_pairs:
            before = list(map(self._domain.canonical, texts)) if self._domain else texts
            self._findings.pairs_of(self._space, before, done)
        return done

    def _json_string(self, token: bytes) -> bytes:
        if not token:
            return token
        before = unquote(token)
        after = self.text(before)
        return token if after == before else quote(after)

    def _json_strings(self, tokens: list[bytes]) -> list[bytes]:
        before = unquote_all(tokens)
        after = self.texts(before)
        if after is before:
            return tokens
        return [
            token if same else new
            for token, same, new in zip(tokens, map(eq, before, after), quote_all(after), strict=True)
        ]

    def _bytes_texts(self, tokens: list[bytes]) -> list[bytes]:
        return [text.encode() for text in self.texts([token.decode() for token in tokens])]

    def _json_number(self, token: bytes) -> bytes:
        text = token.decode()
        if len(token) > _MOST_DIGITS:
            raise UnfitError(
                f"is a number of more than {_MOST_DIGITS:,} digits, which rule '{self.name}' can't work on"
            )
        if _INTEGER.fullmatch(token):
            result = self.scalar(int(token), text)
        elif "number" in self.types:
            result = self.scalar(Decimal(text), text)
        else:
            raise UnfitError(f"rule '{self.name}' works on whole numbers only")
        if isinstance(result, bool) or not isinstance(result, int | float | Decimal):
            raise UnfitError(f"rule '{self.name}' does not give a number")
        return str(result).encode()

    def boolean(self, value: bool) -> bytes:
        """A JSON literal. Raises UnfitError."""
        result = self.scalar(value, "")
        if not isinstance(result, bool):
            raise UnfitError(f"rule '{self.name}' does not give true or false")
        return b"true" if result else b"false"

    def integer(self, value: int) -> int:
        """A whole number in a binary payload. Raises UnfitError."""
        result = self.scalar(value, str(value))
        if not isinstance(result, int):
            raise UnfitError(f"rule '{self.name}' does not give a whole number")
        return result

    def _raw(self, data: bytes) -> bytes:
        """Opaque bytes: keyed by their Latin-1 spelling, which is one to one."""
        return data if self.effect == "keep" or not data else self.text(data.decode("latin-1")).encode()

    def _note_string(self, token: bytes) -> bytes:
        self._learn(unquote(token))
        return token

    def _note_number(self, token: bytes) -> bytes:
        self._learn(token.decode())
        return token

    def _note_bytes(self, data: bytes) -> bytes:
        if self.learns:
            self._learn(data.decode("utf-8", "surrogateescape"))
        return data
