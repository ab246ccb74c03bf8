"""Rules and detectors of other packages: found, listed, used, held to their word, never releasing a value."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from desensitizers import detectors, plugins, rules
from desensitizers.detectors.base import Detector
from desensitizers.errors import PolicyError
from desensitizers.inventory import inventory
from desensitizers.rules.base import TEXT, Action, Rule
from tests.desensitizers.helpers import batch, policy, problems, scrub
from tests.desensitizers.installing import install

EXAMPLE = Path(__file__).parents[2] / "examples/plugin"


@pytest.fixture
def hello(site: Path) -> Path:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    install(site, "blackbox_hello", (EXAMPLE / "blackbox_hello.py").read_text(), project["entry-points"])
    return site


def test_the_hello_world_of_two_files_brings_a_rule_and_a_detector(hello: Path) -> None:
    assert sorted(path.name for path in EXAMPLE.iterdir() if path.is_file()) == ["blackbox_hello.py", "pyproject.toml"]
    topic = "value: {name: {rule: initials}, note: {rule: scan, detectors: [ticket, email]}}"
    [done] = scrub(topic, {"name": "Anna Maria Schmidt", "note": "see TCK-123456"})
    assert done["name"] == "A.M.S."
    assert done["note"].startswith("see ")
    assert "TCK" not in done["note"]
    listed = {entry.name: entry for entry in inventory()}
    assert listed["initials"].origin == listed["ticket"].origin == "blackbox-hello 1.0.0"
    assert listed["mask"].origin == "built in"
    with pytest.raises(PolicyError, match="two keys into one"):
        policy("key: {rule: initials}")
    with pytest.raises(PolicyError, match="Did you mean 'dot'"):
        policy("key: {rule: initials, dots: x}")


def test_the_command_lists_it(hello: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(hello)!r})\n"
         "from recorder.cli.main import main; main(['rules', '--format', 'json'])"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    listed = {(entry["kind"], entry["name"]): entry for entry in json.loads(ran.stdout)}
    assert listed["rule", "initials"]["options"] == ["dot?"]
    assert listed["detector", "ticket"]["origin"] == "blackbox-hello 1.0.0"
    assert {("rule", name) for name in rules.NAMES} | {("detector", name) for name in detectors.NAMES} <= set(listed)


def test_every_rule_says_what_it_is_and_how_it_is_written() -> None:
    for entry in inventory():
        assert entry.summary, entry.name
        assert entry.version
        assert entry.kind == "detector" or entry.name in entry.example


HEAD = """
from desensitizers.detectors.base import Detector
from desensitizers.rules.base import TEXT, Action, Rule
"""
RULE = HEAD + "IT = Rule('it', 1, 'x', types=TEXT, build=lambda o, d, c: Action({rewrite}, '{unique}', TEXT))\n"
BROKEN = [
    ("lambda values: 1 / 0", "failed (ZeroDivisionError)"),
    ("lambda values: [*values, 'x']", "2 values for 1"),
    ("lambda values: [1 for _ in values]", "another type"),
    ("lambda values, n=iter(range(99)): [str(next(n)) for _ in values]", "different results for equal values"),
    ("lambda values: (_ for _ in ()).throw(ValueError(values))", "failed (ValueError)"),
    ("lambda values: exit()", "failed (SystemExit)"),
    ("lambda values: ['\\ud800' for _ in values]", "half a character"),
]


@pytest.mark.parametrize(("rewrite", "says"), BROKEN)
def test_a_rule_that_breaks_its_word_releases_nothing(site: Path, rewrite: str, says: str) -> None:
    install(site, "broken", RULE.format(rewrite=rewrite, unique="merges"), {"blackbox.rules": {"it": "broken:IT"}})
    said = problems("value: {name: {rule: it}}", batch([b'{"name":"Anna"}']))
    assert says in said
    assert "Anna" not in said


def test_a_rule_that_merges_what_it_promised_to_keep_apart_is_caught(site: Path) -> None:
    code = RULE.format(rewrite="lambda values: ['x' for _ in values]", unique="injective")
    install(site, "merging", code, {"blackbox.rules": {"it": "merging:IT"}})
    plan = policy("value: {name: {rule: it}}").plan()
    plan.for_topic("t").apply(batch([b'{"name":"Anna"}', b'{"name":"Eva"}']))
    [pairs] = plan.findings.pairs.values()
    assert len({pair[8:] for pair in pairs}) < len({pair[:8] for pair in pairs})


@pytest.mark.parametrize(
    "finder", ["lambda t, s: 1 / 0", "lambda t, s: exit()", "lambda t, s: [(0, 99)]", "lambda t, s: ['x']"]
)
def test_a_detector_that_breaks_lets_no_text_pass(site: Path, finder: str) -> None:
    code = HEAD + f"IT = Detector('it', 1, 'x', 'hex', '', finder={finder})\n"
    install(site, "blind", code, {"blackbox.detectors": {"it": "blind:IT"}})
    said = problems("value: {note: {rule: scan, detectors: [it]}}", batch([b'{"note":"Anna"}']))
    assert "note: " in said
    assert "Anna" not in said


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (None, "can't be loaded (ModuleNotFoundError"),
        ("IT = 1", "is not a Rule named 'it'"),
        (HEAD + "IT = Rule('other', 1, 'x')", "is not a Rule named 'it'"),
        (HEAD + "IT = Rule('it', 1, 'x', effect='keep')", "must rewrite"),
        ("raise RuntimeError('no')", "can't be loaded (RuntimeError: no)"),
    ],
)
def test_a_plug_in_that_is_none_is_named_at_load_and_in_the_list(site: Path, code: str | None, says: str) -> None:
    install(site, "wrong", code, {"blackbox.rules": {"it": "wrong:IT"}})
    with pytest.raises(PolicyError, match=r"test\.yaml:\d+: .*of wrong 1\.0\.0") as caught:
        policy("value: {name: {rule: it}}")
    assert says in str(caught.value)
    assert says in next(entry.broken for entry in inventory() if entry.name == "it")


def test_a_plug_in_can_not_take_one_of_our_names(site: Path) -> None:
    install(site, "thief", RULE.format(rewrite="list", unique="merges"), {"blackbox.rules": {"mask": "thief:IT"}})
    assert scrub("value: {name: mask}", {"name": "Anna"}) == [{"name": "****"}]
    assert [entry.origin for entry in inventory() if entry.name == "mask"] == ["built in"]


def test_two_packages_that_bring_one_name_are_both_named(site: Path) -> None:
    for name in ("one", "two"):
        install(site, name, RULE.format(rewrite="list", unique="merges"), {"blackbox.rules": {"it": f"{name}:IT"}})
    with pytest.raises(plugins.PluginError, match=r"one 1\.0\.0 and from two|two 1\.0\.0 and from one"):
        rules.names()


def test_what_a_plug_in_needs_is_public() -> None:
    assert Rule("x", 1, "y", types=TEXT, build=lambda _o, _d, _c: Action(list, "merges", TEXT)).trusted
    assert Detector("x", 1, "y", "hex", "", finder=lambda _text, _strict: []).trusted
