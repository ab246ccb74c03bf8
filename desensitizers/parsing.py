"""Policy text -> `PolicySpec`. Every problem names its line and what would have been right."""

from __future__ import annotations

import hashlib
import re

from desensitizers import detectors, rules
from desensitizers.canonical import FUNCTIONS
from desensitizers.domains import DomainSpec
from desensitizers.errors import PolicyError, did_you_mean
from desensitizers.paths import compile_name, compile_path
from desensitizers.plugins import PluginError
from desensitizers.rules import options as rule_options
from desensitizers.rules.base import Rule
from desensitizers.spec import FORMATS, WITH_FIELDS, ExtractSpec, Leaf, PayloadSpec, PolicySpec, RuleSpec, TopicSpec
from desensitizers.surrogates.kinds import KINDS
from desensitizers.yamltree import Tree, parse

_LATER = {
    "schema_tags": "rules by schema tag",
    "imports": "importing shared policies",
    "when": "conditions (when:)",
    "quarantine": "quarantine",
}
_LEAF_TYPES = ("string", "number", "boolean", "bytes")
_COMMON = ("rule", "domain", "type", "learn")
_NEEDS_CANONICAL = {"digits": "digits", "card": "digits", "phone": "phone"}
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def parse_policy(text: str, file: str) -> PolicySpec:
    """The policy in `text`. Raises PolicyError with file and line."""
    root = parse(text, file)
    names = ("version", "secret", "defaults", "domains", "topics", "proof")
    for name, key, _value in root.items("the policy"):
        if name in _LATER:
            key.fail(f"'{name}': {_LATER[name]} is not supported by this version.")
    top = root.fields("the policy", names, required=("version", "secret", "topics"))
    if top["version"].text("version") != "1":
        top["version"].fail("this version of blackbox reads policies of version 1.")
    defaults = _Defaults(top.get("defaults"))
    domains = _domains(top["domains"]) if "domains" in top else ()
    parser = _TopicParser({domain.name: domain for domain in domains}, defaults)
    topics = tuple(parser.topic(tree) for tree in top["topics"].elements("topics"))
    if not topics:
        top["topics"].fail("topics is empty: nothing could pass.")
    return PolicySpec(
        file=file,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        secret_env=_secret(top["secret"]),
        domains=domains,
        topics=topics,
        proof_detectors=_proof(top.get("proof")),
    )


def _secret(tree: Tree) -> str:
    name = tree.fields("secret", ("env",), required=("env",))["env"]
    text = name.text("secret.env")
    if not _ENV_NAME.fullmatch(text):
        name.fail("secret.env must name an environment variable; the secret itself never stands in a policy.")
    return text


def _proof(tree: Tree | None) -> tuple[str, ...]:
    if tree is None:
        return detectors.PROOF_DEFAULT
    fields = tree.fields("proof", ("detectors",), required=("detectors",))
    return rule_options.detector_names(fields["detectors"], "proof.detectors", detectors.names())


class _Defaults:
    """What happens to what no rule names; a topic may set its own."""

    def __init__(self, tree: Tree | None) -> None:
        self.unknown_field, self.undecodable = "fail", "fail"
        if tree is None:
            return
        names = ("unknown_field", "undecodable", "unknown_schema", "plugin_error")
        fields = tree.fields("defaults", names)
        self.unknown_field, self.undecodable = self.read(fields)
        for name in ("unknown_schema", "plugin_error"):
            if name in fields:
                fields[name].choice(name, ("fail",))

    def read(self, fields: dict[str, Tree]) -> tuple[str, str]:
        """The two settings in `fields`, or the defaults."""
        unknown, undecodable = self.unknown_field, self.undecodable
        if "unknown_field" in fields:
            tree = fields["unknown_field"]
            if tree.text("unknown_field") == "keep":
                tree.fail("unknown_field: keep does not exist: name what is to be kept.")
            unknown = _setting(tree, "unknown_field", ("fail", "drop", "mask"))
        if "undecodable" in fields:
            undecodable = _setting(fields["undecodable"], "undecodable", ("fail", "replace"))
        return unknown, undecodable


def _setting(tree: Tree, name: str, choices: tuple[str, ...]) -> str:
    if tree.text(name) == "quarantine":
        tree.fail(f"{name}: quarantine is not supported by this version: write {' or '.join(choices)}.")
    return tree.choice(name, choices)


def _domains(tree: Tree) -> tuple[DomainSpec, ...]:
    out = []
    for name, key, body in tree.items("domains"):
        if name in rules.names() or not re.fullmatch(r"[\w.-]+", name):
            key.fail(f"a domain can't be called '{name}': use letters and digits, and no rule's name.")
        head = body.fields(f"domain '{name}'", _domain_names(body))
        surrogate = head["surrogate"].choice("surrogate", KINDS) if "surrogate" in head else "hex"
        canonical = head["canonical"].choice("canonical form", FUNCTIONS) if "canonical" in head else ""
        needed = _NEEDS_CANONICAL.get(KINDS[surrogate].name)
        if canonical and needed and canonical != needed:
            head["canonical"].fail(f"surrogate '{surrogate}' works on canonical: {needed}.")
        options = {
            option: _typed(head[option], option, wanted)
            for option, wanted in KINDS[surrogate].options.items()
            if option in head
        }
        if not 0 <= int(options.get("keep_prefix", 0)) <= 8:
            head["keep_prefix"].fail("keep_prefix is 0 to 8: the digits that name the card's issuer.")
        out.append(DomainSpec(name, surrogate, canonical, options, key.line))
    return tuple(out)


def _domain_names(body: Tree) -> list[str]:
    """The names a domain may have: its surrogate's options among them."""
    kind = next((v.text("surrogate") for k, _, v in body.items("a domain") if k == "surrogate"), "hex")
    return ["canonical", "surrogate", *(KINDS[kind].options if kind in KINDS else ())]


def _typed(tree: Tree, name: str, wanted: type) -> str | int | bool:
    if wanted is str:
        return tree.text(name)
    value = tree.scalar(name)
    if type(value) is not wanted:
        tree.fail(f"'{name}' must be {'a whole number' if wanted is int else 'true or false'}.")
    return value  # type: ignore[return-value]


def _check_name(tree: Tree, name: str) -> None:
    try:
        compile_name(name)
    except PolicyError as error:
        tree.fail(str(error))


class _TopicParser:
    def __init__(self, domains: dict[str, DomainSpec], defaults: _Defaults) -> None:
        self._domains = domains
        self._defaults = defaults

    def topic(self, tree: Tree) -> TopicSpec:
        names = ("match", "key", "headers", "value", "unknown_field", "undecodable")
        fields = tree.fields("a topic", names, required=("match",))
        match = fields["match"].text("match")
        _check_name(fields["match"], match)
        unknown, undecodable = self._defaults.read(fields)
        headers = fields["headers"].items("headers") if "headers" in fields else []
        for name, key, _body in headers:
            _check_name(key, name)
        return TopicSpec(
            match=match,
            line=tree.line,
            key=self.payload(fields["key"], "string") if "key" in fields else None,
            headers=tuple((name, self.payload(body, "string")) for name, _key, body in headers),
            value=self.payload(fields["value"], "auto") if "value" in fields else None,
            unknown_field=unknown,  # type: ignore[arg-type]
            undecodable=undecodable,  # type: ignore[arg-type]
        )

    def payload(self, tree: Tree, usual: str) -> PayloadSpec:
        """A scalar rule, or paths into a document."""
        if tree.is_scalar:
            return PayloadSpec("string", tree.line, self.leaf(tree))
        items = tree.items("a payload")
        formats = [v for k, _, v in items if k == "format" and v.is_scalar and v.text("format") in FORMATS]
        form = formats[0].text("format") if formats else ""
        rest = [(k, key, v) for k, key, v in items if not (form and k == "format")]
        fields = form in WITH_FIELDS
        if fields and self._is_rule(rest):
            return PayloadSpec(form, tree.line, paths=(("$", self.leaf(tree, skip=("format",))),))  # type: ignore[arg-type]
        if not fields and (form or usual != "auto" or self._is_rule(rest)):
            leaf = self.leaf(tree, skip=("format",) if form else ())
            self._check_format(tree, form or "string", leaf)
            return PayloadSpec(form or "string", tree.line, leaf)  # type: ignore[arg-type]
        paths = []
        for path, key, body in rest:
            try:
                compile_path(path)
            except PolicyError as error:
                key.fail(str(error))
            paths.append((path, self.leaf(body)))
        return PayloadSpec(form or "auto", tree.line, paths=tuple(paths))  # type: ignore[arg-type]

    def _is_rule(self, items: list[tuple[str, Tree, Tree]]) -> bool:
        """Whether a mapping under `value` speaks of the whole value rather than of its fields."""
        found = {name: value for name, _key, value in items}
        if "extract" in found:
            return found["extract"].is_scalar and found["extract"].text("extract") not in rules.names()
        if "rule" in found:
            return found["rule"].is_scalar and found["rule"].text("rule") in rules.names()
        return "domain" in found and found["domain"].is_scalar and found["domain"].text("domain") in self._domains

    def _check_format(self, tree: Tree, form: str, leaf: Leaf) -> None:
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
            types = frozenset({"string"} if isinstance(leaf.options["with"], str) else {"integer"})
        if form == "bytes" and leaf.rule not in ("keep", "hash", "token"):
            tree.fail(f"rule '{leaf.rule}' can't work on bytes: use keep, hash, token or drop.")
        if form in ("int32", "int64") and "integer" not in types:
            what = f"domain '{leaf.domain}'" if leaf.rule == "pseudonym" else f"rule '{leaf.rule}'"
            tree.fail(f"{what} makes text, which doesn't fit format {form}: use a domain of digits, or replace.")

    def leaf(self, tree: Tree, skip: tuple[str, ...] = ()) -> Leaf:
        """``keep``, ``{rule: mask, …}``, ``{domain: customer}`` or ``{extract: …, id: …}``."""
        if tree.is_scalar:
            return self._rule(tree, tree.text("a rule"), {})
        fields = {name: value for name, _key, value in tree.items("a rule") if name not in skip}
        if "extract" in fields:
            return self._extract(tree, fields)
        if "when" in fields:
            fields["when"].fail(f"{_LATER['when']} is not supported by this version.")
        if "rule" not in fields and "domain" not in fields:
            tree.fail("a rule needs 'rule: NAME' or 'domain: NAME'; paths are written with dots, not nested.")
        name = fields["rule"].text("rule") if "rule" in fields else "pseudonym"
        return self._rule(fields.get("rule", tree), name, fields, tree)

    def _rule(self, at: Tree, name: str, fields: dict[str, Tree], body: Tree | None = None) -> RuleSpec:
        if name not in rules.names():
            at.fail(f"unknown rule '{name}'.{did_you_mean(name, rules.names())}")
        rule = self._loaded(at, name)
        if body is not None:
            for key, key_tree, _value in body.items("a rule"):
                if key in fields and key not in (*_COMMON, *rule.options):
                    known = (*_COMMON, *rule.options)
                    key_tree.fail(f"rule '{name}' has no option '{key}'.{did_you_mean(key, known)}")
        for option in sorted(rule.required):
            if option not in fields:
                at.fail(f"rule '{name}' needs '{option}'.")
        types = None
        if "type" in fields:
            types = frozenset({fields["type"].choice("type", _LEAF_TYPES)})
            self._check_type(fields["type"], rule, types)
        learn = None
        if "learn" in fields:
            learn = bool(_typed(fields["learn"], "learn", bool))
        options = {
            option: rule_options.read(fields[option], option, declared)
            for option, declared in rule.options.items()
            if option in fields
        }
        if rule.check is not None and (wrong := rule.check(options)):
            (body or at).fail(wrong)
        return RuleSpec(name, at.line, self._domain(at, rule, fields), options, types, learn)

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
            if isinstance(leaf, ExtractSpec) or leaf.rule in ("drop", "null"):
                fields[name].fail(f"group '{name}' takes a rule that leaves a text: keep, mask, hash, a domain.")
            specs.append((name, leaf))
        return ExtractSpec(pattern, tuple(specs), tree.line)
