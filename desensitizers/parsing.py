"""Policy text -> `PolicySpec`. Every problem names its line and what would have been right."""

from __future__ import annotations

import re
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

from desensitizers import detectors, imports, rules
from desensitizers.canonical import FUNCTIONS
from desensitizers.domains import OPTIONS as DOMAIN_OPTIONS
from desensitizers.domains import DomainSpec, wrong_options
from desensitizers.errors import PolicyError
from desensitizers.parsing_rules import RuleParser, typed
from desensitizers.paths import HEADER_NAMES, compile_name
from desensitizers.provenance import of_detectors
from desensitizers.rules import options as rule_options
from desensitizers.spec import FORMATS, SETTINGS, WITH_FIELDS, Leaf, PayloadSpec, PolicySpec, TopicSpec
from desensitizers.surrogates.kinds import KINDS
from desensitizers.yamltree import Tree

_NEEDS_CANONICAL = {"digits": "digits", "card": "digits", "phone": "phone"}
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def parse_policy(text: str, file: str) -> PolicySpec:
    """The policy in `text`, with what it imports from beside `file`. Raises PolicyError with file and line."""
    found = imports.parts(text, file)
    defaults = _Defaults(imports.first(found, "defaults"))
    domains = _all_domains(found)
    rules_of_topics, rules_of_tags = RuleParser(domains), RuleParser(domains)
    parser = _TopicParser(rules_of_topics, defaults)
    topics = tuple(
        parser.topic(tree)
        for part in found
        if "topics" in part.fields
        for tree in part.fields["topics"].elements("topics")
    )
    if not topics:
        imports.required(found, "topics").fail("topics is empty: nothing could pass.")
    schema_tags = _schema_tags(found, rules_of_tags)
    proof = _proof(imports.first(found, "proof"))
    foreign = tuple(dict.fromkeys([*rules_of_topics.foreign, *rules_of_tags.foreign, *of_detectors(proof)]))
    return PolicySpec(
        file=file,
        sha256=imports.sha256(found, (*rules_of_topics.tables, *rules_of_tags.tables, *map(astuple, foreign))),
        secret_env=_secret(imports.required(found, "secret")),
        domains=domains,
        topics=topics,
        proof_detectors=proof,
        schema_tags=schema_tags,
        quarantine_key=_quarantine_key(imports.first(found, "quarantine")),
        foreign=foreign,
    )


def _all_domains(found: list[imports.Part]) -> tuple[DomainSpec, ...]:
    """Those of all files; one name must not mean two things."""
    known: dict[str, tuple[DomainSpec, Tree]] = {}
    for part in found:
        if "domains" not in part.fields:
            continue
        for domain, key in _domains(part.fields["domains"]):
            before = known.setdefault(domain.name, (domain, key))
            if replace(before[0], line=0) != replace(domain, line=0):
                key.fail(f"domain '{domain.name}' is another one in {before[1].file}:{before[1].line}: rename one.")
    return tuple(domain for domain, _key in known.values())


def _schema_tags(found: list[imports.Part], parser: RuleParser) -> tuple[tuple[str, Leaf], ...]:
    """Rules by schema tag; the importing file has the first word."""
    tags: dict[str, Leaf] = {}
    for part in found:
        for name, _key, body in part.fields["schema_tags"].items("schema_tags") if "schema_tags" in part.fields else ():
            leaf = parser.leaf(body)
            if leaf.when:
                body.fail("a rule by schema tag takes no when: name the path instead.")
            tags.setdefault(name, leaf)
    return tuple(tags.items())


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


def _quarantine_key(tree: Tree | None) -> str:
    """The path, by the file that names it."""
    if tree is None:
        return ""
    name = tree.fields("quarantine", ("key",), required=("key",))["key"].text("quarantine.key")
    return str(Path(tree.file).parent / name)


class _Defaults:
    """What happens to what no rule answers for; a topic may set its own."""

    def __init__(self, tree: Tree | None) -> None:
        self._settings: dict[str, Any] = dict.fromkeys(SETTINGS, "fail")
        if tree is not None:
            self._settings = self.read(tree.fields("defaults", tuple(SETTINGS)))

    def read(self, fields: dict[str, Tree]) -> dict[str, Any]:
        """The settings in `fields`, and the defaults where there are none."""
        found = dict(self._settings)
        for name, choices in SETTINGS.items():
            if name in fields:
                tree = fields[name]
                if name == "unknown_field" and tree.text(name) == "keep":
                    tree.fail("unknown_field: keep does not exist: name what is to be kept.")
                found[name] = tree.choice(name, choices)
        return found


def _domains(tree: Tree) -> list[tuple[DomainSpec, Tree]]:
    """Each with the node that names it."""
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
            option: typed(head[option], option, wanted)
            for option, wanted in {**DOMAIN_OPTIONS, **KINDS[surrogate].options}.items()
            if option in head
        }
        if wrong := wrong_options(options):
            body.fail(f"domain '{name}': {wrong}")
        if not 0 <= int(options.get("keep_prefix", 0)) <= 8:
            head["keep_prefix"].fail("keep_prefix is 0 to 8: the digits that name the card's issuer.")
        out.append((DomainSpec(name, surrogate, canonical, options, key.line), key))
    return out


def _domain_names(body: Tree) -> list[str]:
    """The names a domain may have: its surrogate's options among them."""
    kind = next((v.text("surrogate") for k, _, v in body.items("a domain") if k == "surrogate"), "hex")
    return ["canonical", "surrogate", *DOMAIN_OPTIONS, *(KINDS[kind].options if kind in KINDS else ())]


def _check_name(tree: Tree, name: str) -> None:
    try:
        compile_name(name)
    except PolicyError as error:
        tree.fail(str(error))


class _TopicParser:
    def __init__(self, parser: RuleParser, defaults: _Defaults) -> None:
        self._rules = parser
        self._defaults = defaults

    def topic(self, tree: Tree) -> TopicSpec:
        names = ("match", "key", "headers", "value", *SETTINGS)
        fields = tree.fields("a topic", names, required=("match",))
        match = fields["match"].text("match")
        _check_name(fields["match"], match)
        settings = self._defaults.read(fields)
        self._rules.unknown_field = settings["unknown_field"]
        headers = list(fields["headers"].items("headers")) if "headers" in fields else []
        names_of = next((self._rules.names(body, name) for name, _key, body in headers if name == HEADER_NAMES), None)
        headers = [header for header in headers if header[0] != HEADER_NAMES]
        for name, key, _body in headers:
            _check_name(key, name)
        return TopicSpec(
            match=match,
            line=tree.line,
            key=self.payload(fields["key"], "string") if "key" in fields else None,
            headers=tuple((name, self.payload(body, "string")) for name, _key, body in headers),
            value=self.payload(fields["value"], "auto") if "value" in fields else None,
            file=tree.file,
            header_names=names_of,
            **settings,
        )

    def payload(self, tree: Tree, usual: str) -> PayloadSpec:
        """A scalar rule, or paths into a document."""
        if tree.is_scalar:
            return self._scalar(tree, "string", self._rules.leaf(tree))
        items = tree.items("a payload")
        formats = [v for k, _, v in items if k == "format" and v.is_scalar and v.text("format") in FORMATS]
        form = formats[0].text("format") if formats else ""
        rest = [(k, key, v) for k, key, v in items if not (form and k == "format")]
        fields = form in WITH_FIELDS
        if fields and self._rules.is_rule(rest):
            return PayloadSpec(form, tree.line, paths=(("$", self._rules.leaf(tree, skip=("format",))),))  # type: ignore[arg-type]
        if not fields and (form or usual != "auto" or self._rules.is_rule(rest)):
            leaf = self._rules.leaf(tree, skip=("format",) if form else ())
            self._rules.check_format(tree, form or "string", leaf)
            return self._scalar(tree, form or "string", leaf)
        return PayloadSpec(form or "auto", tree.line, paths=self._rules.paths(rest))  # type: ignore[arg-type]

    def _scalar(self, tree: Tree, form: str, leaf: Leaf) -> PayloadSpec:
        if leaf.when:
            tree.fail("when asks for fields of the same payload, and this one has none: name paths, with format: json.")
        return PayloadSpec(form, tree.line, leaf)  # type: ignore[arg-type]
