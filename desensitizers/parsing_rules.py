"""The rules of a policy from their YAML: ``keep``, ``{rule: mask, …}``, ``{domain: customer}``, ``{extract: …}``.

Every problem names its line and what would have been right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from desensitizers import rules
from desensitizers.conditions import TESTS, Condition, as_text
from desensitizers.domains import DomainSpec
from desensitizers.encodings import ENCODINGS
from desensitizers.errors import PolicyError, did_you_mean
from desensitizers.own_modules import NoFileError
from desensitizers.paths import compile_path, speaks_of_names
from desensitizers.plugins import PluginError
from desensitizers.provenance import Foreign, of_detectors, of_rule
from desensitizers.rules import options as rule_options
from desensitizers.rules.base import Rule
from desensitizers.spec import WIDTHS, ExtractSpec, InsideSpec, Leaf, RuleSpec
from desensitizers.surrogates.kinds import KINDS
from desensitizers.yamltree import Tree

LEAF_TYPES = ("string", "number", "boolean", "bytes")
FORMS = ("text", "json", "jwt", "query")
"""What may be inside of a text when its encodings are off."""
COMMON = ("rule", "domain", "type", "learn", "when")


class RuleParser:
    """Reads rules by the domains of a policy."""

    def __init__(self, domains: Iterable[DomainSpec]) -> None:
        self._domains = {domain.name: domain for domain in domains}
        self.unknown_field = "fail"
        """What the topic at hand does with fields that no path names, also with those inside of texts."""
        self.tables: list[object] = []
        """What the rules read so far took from files beside the policy."""
        self.foreign: list[Foreign] = []
        """The code of others that they use."""

    def paths(self, items: Iterable[tuple[str, Tree, Tree]]) -> tuple[tuple[str, Leaf], ...]:
        """Paths and their rules, in order."""
        found = []
        for path, key, body in items:
            check_path(key, path)
            leaf = self.leaf(body)
            if speaks_of_names(path):
                _check_names(body, path, leaf)
            for condition in leaf.when:
                _check_elements(body, path, condition.path)
            found.append((path, leaf))
        return tuple(found)

    def names(self, tree: Tree, path: str) -> Leaf:
        """The rule for names of headers."""
        leaf = self.leaf(tree)
        if leaf.when:
            tree.fail("when asks for fields of the same payload, and names of headers have none.")
        _check_names(tree, path, leaf)
        return leaf

    def is_rule(self, items: list[tuple[str, Tree, Tree]]) -> bool:
        """Whether a mapping under `value` speaks of the whole value rather than of its fields."""
        found = {name: value for name, _key, value in items}
        if "format" in found and not self._is_rules_own(found):
            return _names_formats(found["format"])
        if "extract" in found:
            return found["extract"].is_scalar and found["extract"].text("extract") not in rules.names()
        if "rule" in found:
            return found["rule"].is_scalar and found["rule"].text("rule") in rules.names()
        return "domain" in found and found["domain"].is_scalar and found["domain"].text("domain") in self._domains

    def _is_rules_own(self, fields: dict[str, Tree]) -> bool:
        """Whether `format` is an option of the rule beside it, as date_shift's is, and not what is inside of a text."""
        at = fields.get("rule")
        name = at.text("rule") if at is not None and at.is_scalar else ""
        if at is None or name not in rules.names() or _names_formats(fields["format"]):
            return False
        return "format" in self._loaded(at, name).options

    def check_format(self, tree: Tree, form: str, leaf: Leaf) -> None:
        if isinstance(leaf, InsideSpec):
            if form != "string":
                tree.fail(f"what is inside of a text needs a text, not {form}.")
            return
        if isinstance(leaf, ExtractSpec):
            if form != "string":
                tree.fail(f"extract works on text: write format: string, not {form}.")
            return
        if leaf.rule in ("drop", "null") or form == "string":
            return
        types = rules.rule(leaf.rule).types
        if leaf.rule == "pseudonym":
            types = KINDS[self._domains[leaf.domain].surrogate].types
        if leaf.rule == "replace":
            types = _types_of(leaf.options["with"])
        if form == "bytes" and leaf.rule not in ("keep", "hash", "token"):
            tree.fail(f"rule '{leaf.rule}' can't work on bytes: use keep, hash, token or drop.")
        if form in WIDTHS and not types & {"number", "integer" if form.startswith("int") else "number"}:
            what = f"domain '{leaf.domain}'" if leaf.rule == "pseudonym" else f"rule '{leaf.rule}'"
            tree.fail(f"{what} makes text, which doesn't fit format {form}: use a domain of digits, or replace.")

    def leaf(self, tree: Tree, skip: tuple[str, ...] = ()) -> Leaf:
        """``keep``, ``{rule: mask, …}``, ``{domain: customer}`` or ``{extract: …, id: …}``."""
        if tree.is_scalar:
            return self._rule(tree, tree.text("a rule"), {})
        fields = {name: value for name, _key, value in tree.items("a rule") if name not in skip}
        if "format" in fields and not self._is_rules_own(fields):
            return self._inside(tree, fields)
        if "extract" in fields:
            return self._extract(tree, fields)
        if "rule" not in fields and "domain" not in fields:
            tree.fail("a rule needs 'rule: NAME' or 'domain: NAME'; paths are written with dots, not nested.")
        name = fields["rule"].text("rule") if "rule" in fields else "pseudonym"
        return self._rule(fields.get("rule", tree), name, fields, tree)

    def _inside(self, tree: Tree, fields: dict[str, Tree]) -> InsideSpec:
        """``{format: json, customer.id: …}``, ``{format: [base64, gzip, json], …}``, ``{format: url, rule: mask}``."""
        form = fields.pop("format")
        words = [form] if form.is_scalar else form.elements("format")
        names = [word.choice("format", (*ENCODINGS, *FORMS)) for word in words]
        last = names.pop() if names and names[-1] in FORMS else "text"
        for word, name in zip(words, names, strict=False):
            if name in FORMS:
                word.fail(f"'{name}' must be the last of the formats.")
        when = self._when(fields.pop("when")) if "when" in fields else ()
        leaf: Leaf | None = None
        paths: tuple[tuple[str, Leaf], ...] = ()
        items = [item for item in tree.items("a rule") if item[0] in fields]
        if last == "text":
            leaf = self.leaf(tree, skip=("format", "when"))
        elif self.is_rule(items):
            paths = (("$", self.leaf(tree, skip=("format", "when"))),)
        else:
            paths = self.paths(items)
        inner = [leaf] if leaf is not None else [one for _path, one in paths]
        if any(one.when or (isinstance(one, RuleSpec) and "by" in one.options) for one in inner):
            tree.fail("conditions (when) and by ask for fields of the record, not of what is inside of a text.")
        if isinstance(leaf, RuleSpec) and leaf.rule in ("drop", "null"):
            tree.fail(f"rule '{leaf.rule}' on all that is inside: write it without format.")
        unknown: Any = self.unknown_field
        return InsideSpec(tuple(names), last, tree.line, leaf, paths, unknown, when, tree.file)  # type: ignore[arg-type]

    def _rule(self, at: Tree, name: str, fields: dict[str, Tree], body: Tree | None = None) -> RuleSpec:
        if name not in rules.names():
            at.fail(f"unknown rule '{name}'.{did_you_mean(name, rules.names())}")
        rule = self._loaded(at, name)
        if body is not None:
            for key, key_tree, _value in body.items("a rule"):
                if key in fields and key not in (*COMMON, *rule.options):
                    known = (*COMMON, *rule.options)
                    key_tree.fail(f"rule '{name}' has no option '{key}'.{did_you_mean(key, known)}")
        for option in sorted(rule.required):
            if option not in fields:
                at.fail(f"rule '{name}' needs '{option}'.")
        types = None
        if "type" in fields:
            types = frozenset({fields["type"].choice("type", LEAF_TYPES)})
            self._check_type(fields["type"], rule, types)
        learn = None
        if "learn" in fields:
            learn = bool(typed(fields["learn"], "learn", bool))
        options = {
            option: rule_options.read(fields[option], option, declared)
            for option, declared in rule.options.items()
            if option in fields
        }
        self.tables += [options[option] for option in options if rule.options[option].kind == "file"]
        if rule.check is not None and (wrong := rule.check(options)):
            (body or at).fail(wrong)
        self._foreign(at, name, rule, options)
        when = self._when(fields["when"]) if "when" in fields else ()
        return RuleSpec(name, at.line, self._domain(at, rule, fields), options, types, learn, when, at.file)

    def _foreign(self, at: Tree, name: str, rule: Rule, options: Mapping[str, Any]) -> None:
        named = [options[option] for option in options if rule.options[option].kind == "detectors"]
        try:
            self.foreign += of_rule(name, options)
            self.foreign += of_detectors(detector for names in named for detector in names)
        except NoFileError as error:
            at.fail(str(error))

    def _when(self, tree: Tree) -> tuple[Condition, ...]:
        """``{country: DE, type: {in: [a, b]}, code: {matches: "A.*"}, closed: {exists: false}}``: all must hold."""
        found: list[Condition] = []
        for path, key, body in tree.items("when"):
            check_path(key, path)
            if speaks_of_names(path):
                key.fail(f"a condition is asked of a value, and '{path}' are names: name the field.")
            if body.is_scalar:
                found.append(Condition(path, "in", (as_text(body.scalar("a value")),)))
                continue
            for test, test_key, value in body.items(f"the condition on {path}"):
                if test not in TESTS:
                    test_key.fail(f"unknown condition '{test}'.{did_you_mean(test, TESTS)}")
                found.append(Condition(path, test, self._values(test, value)))
        if not found:
            tree.fail("when is empty: name a path and what must stand there.")
        return tuple(found)

    def _values(self, test: str, tree: Tree) -> tuple[str, ...]:
        if test == "exists":
            return ("true" if typed(tree, "exists", bool) else "false",)
        if test == "matches":
            pattern = tree.text("matches")
            try:
                re.compile(pattern)
            except re.error as error:
                tree.fail(f"'{pattern}' is not a regular expression: {error}.")
            return (pattern,)
        return tuple(as_text(item.scalar("a value")) for item in tree.elements(test))

    def _loaded(self, at: Tree, name: str) -> Rule:
        try:
            return rules.rule(name)
        except PluginError as error:
            at.fail(str(error))

    def _check_type(self, tree: Tree, rule: Rule, types: frozenset[str]) -> None:
        able = rule.types | ({"number"} if "integer" in rule.types else set())
        if "bytes" in types and rule.name in ("hash", "token", "replace"):
            return
        if rule.effect == "rewrite" and not types & able:
            tree.fail(f"rule '{rule.name}' can't work on a {next(iter(types))}: use replace, null or drop.")

    def _domain(self, at: Tree, rule: Rule, fields: dict[str, Tree]) -> str:
        if "domain" not in fields:
            if rule.domain == "required":
                at.fail(f"rule '{rule.name}' needs 'domain'.")
            return ""
        if rule.domain == "none":
            fields["domain"].fail(f"rule '{rule.name}' takes no domain.")
        return fields["domain"].choice("domain", self._domains)

    def _extract(self, tree: Tree, fields: dict[str, Tree]) -> ExtractSpec:
        pattern = fields["extract"].text("extract")
        try:
            names = set(re.compile(pattern).groupindex)
        except re.error as error:
            fields["extract"].fail(f"'{pattern}' is not a regular expression: {error}.")
        when = self._when(fields.pop("when")) if "when" in fields and "when" not in names else ()
        groups = {name: self.leaf(body) for name, body in fields.items() if name != "extract"}
        for name, body in fields.items():
            if name != "extract" and name not in names:
                body.fail(f"the pattern has no group '{name}'.{did_you_mean(name, names)}")
        for name in sorted(names - groups.keys()):
            tree.fail(f"group '{name}' has no rule: add '{name}: {{domain: …}}' or '{name}: keep'.")
        if not names:
            tree.fail("extract needs a named group, as in 'cust-(?P<id>\\d+)'.")
        specs = []
        for name, leaf in groups.items():
            if leaf.when:
                fields[name].fail("when stands beside extract, not within a group.")
            if isinstance(leaf, ExtractSpec) or (isinstance(leaf, RuleSpec) and leaf.rule in ("drop", "null")):
                fields[name].fail(f"group '{name}' takes a rule that leaves a text: keep, mask, hash, a domain.")
            specs.append((name, leaf))
        return ExtractSpec(pattern, tuple(specs), tree.line, when, tree.file)


def _names_formats(form: Tree) -> bool:
    return not form.is_mapping and (not form.is_scalar or form.text("format") in (*ENCODINGS, *FORMS))


def _types_of(constant: object) -> frozenset[str]:
    if isinstance(constant, bool | str):
        return frozenset({"boolean" if isinstance(constant, bool) else "string"})
    return frozenset({"number", "integer"} if isinstance(constant, int) else {"number"})


def typed(tree: Tree, name: str, wanted: type) -> str | int | bool:
    """A text, a whole number or true/false. Raises PolicyError."""
    if wanted is str:
        return tree.text(name)
    value = tree.scalar(name)
    if type(value) is not wanted:
        tree.fail(f"'{name}' must be {'a whole number' if wanted is int else 'true or false'}.")
    return value  # type: ignore[return-value]


def check_path(tree: Tree, path: str) -> None:
    try:
        compile_path(path)
    except PolicyError as error:
        tree.fail(str(error))


def _check_names(tree: Tree, path: str, leaf: Leaf) -> None:
    """Names of members are texts that must be there, and each a different one."""
    if not isinstance(leaf, RuleSpec):
        return
    members = path.removesuffix("@key") + "*"
    if leaf.rule in ("drop", "null"):
        tree.fail(f"rule '{leaf.rule}' leaves no name: write '{members}: drop' for the members, or give names a rule.")
    if "by" in leaf.options:
        tree.fail(f"'by' goes by a field of each record, and '{path}' are names: use a rule without it.")
    if leaf.types not in (None, frozenset({"string"})):
        tree.fail(f"'{path}' are names, which are always texts: leave type out.")


def _check_elements(tree: Tree, path: str, other: str) -> None:
    """A condition is asked of the whole record: it can't choose among the elements of an array."""
    head, each, _ = other.rpartition("[*]")
    if each and path.startswith(head + each):
        tree.fail(
            f"the condition on '{other}' is asked of the whole record, so it can't choose elements of '{head}[*]': "
            "use a rule that is right for all of them."
        )
