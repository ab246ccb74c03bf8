"""What a policy is called changes with the code of others that it uses, and its reports name that code."""

from __future__ import annotations

import importlib
import py_compile
import sys
import tomllib
import types
from hashlib import sha256
from pathlib import Path

import pytest

from desensitizers.errors import PolicyError
from desensitizers.policy import Policy
from desensitizers.provenance import of_detectors
from tests.desensitizers.helpers import policy
from tests.desensitizers.installing import forget, install

BLUR = "def blur(values):\n    return ['?' for value in values]\n"


def loaded(site: Path, name: str, code: str, rule: str = "") -> Policy:
    (site / f"{name}.py").write_text(code)
    sys.modules.pop(name, None)
    importlib.invalidate_caches()
    forget()
    return policy(f"value: {{x: {rule or f'{{rule: custom, function: {name}:blur}}'}}}")


def test_a_function_of_ones_own_is_part_of_the_policy(site: Path) -> None:
    first = loaded(site, "ours", BLUR)
    (used,) = first.spec.foreign
    assert (used.what, used.origin, used.sha256) == ("function ours:blur", "", sha256(BLUR.encode()).hexdigest())
    assert loaded(site, "ours", BLUR).sha256 == first.sha256
    assert loaded(site, "ours", BLUR.replace("?", "!")).sha256 != first.sha256
    assert policy("value: {x: keep}").spec.foreign == ()


def test_so_is_the_module_that_the_function_really_stands_in(site: Path) -> None:
    (site / "inner.py").write_text(BLUR)
    first = loaded(site, "outer", "from inner import blur\n").sha256
    (site / "inner.py").write_text(BLUR.replace("?", "!!"))
    del sys.modules["inner"]
    assert loaded(site, "outer", "from inner import blur\n").sha256 != first


RULE = """
from desensitizers.detectors.base import Detector
from desensitizers.rules.base import TEXT, Action, Rule
rule = Rule("shout", 1, "louder", build=lambda *_: Action(lambda v: [x.upper() for x in v], "merges", TEXT))
"""


def test_a_plug_in_is_named_with_its_package_and_version(site: Path) -> None:
    install(site, "loud", None, {"blackbox.rules": {"shout": "loud:rule"}})
    first = loaded(site, "loud", RULE, "{rule: shout}")
    (used,) = first.spec.foreign
    assert (used.what, used.origin) == ("rule shout", "loud 1.0.0")
    assert str(used) == f"loud 1.0.0, SHA-256 {sha256(RULE.encode()).hexdigest()}"
    assert loaded(site, "loud", RULE + "# else\n", "{rule: shout}").sha256 != first.sha256
    metadata = site / "loud-1.0.0.dist-info/METADATA"
    metadata.write_text(metadata.read_text().replace("1.0.0", "1.0.1"))
    again = loaded(site, "loud", RULE, "{rule: shout}")
    assert again.spec.foreign[0].origin == "loud 1.0.1"
    assert again.sha256 != first.sha256


def test_detectors_of_plug_ins_count_in_rules_and_in_the_proof(site: Path) -> None:
    example = Path(__file__).parents[2] / "examples/plugin/blackbox_hello.py"
    points = tomllib.loads(example.with_name("pyproject.toml").read_text())["project"]["entry-points"]
    install(site, "blackbox_hello", None, points)
    scan = loaded(site, "blackbox_hello", example.read_text(), "{rule: scan, detectors: [email, ticket, learned]}")
    assert [one.what for one in scan.spec.foreign] == ["detector ticket"]
    head = "version: 1\nsecret: {env: K}\nproof: {detectors: [email, ticket]}\n"
    text = head + 'topics: [{match: "*", value: {x: keep}}]\n'
    proof = Policy.parse(text, env={"K": "k" * 32})
    assert proof.spec.foreign == scan.spec.foreign
    assert proof.sha256 != sha256(text.encode()).hexdigest()


def test_the_model_that_a_detector_asks_is_named_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for model in ("pytest", "no_such_model"):
        monkeypatch.setenv("BLACKBOX_NER_MODEL", model)
        found += of_detectors(["email", "ner", "learned"])
    assert [one.what for one in found] == ["detector ner"] * 2
    assert f", pytest {pytest.__version__} for 'en'" in str(found[0])
    assert str(found[1]).endswith("no_such_model of no known version for 'en'")


def test_code_without_source_is_covered_by_what_there_is(site: Path) -> None:
    (site / "bare_source.py").write_text(BLUR)
    py_compile.compile(str(site / "bare_source.py"), cfile=str(site / "bare.pyc"))
    (used,) = policy("value: {x: {rule: custom, function: 'bare:blur'}}").spec.foreign
    assert used.sha256 == sha256((site / "bare.pyc").read_bytes()).hexdigest()


def test_code_in_no_file_is_refused(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = types.ModuleType("made_up")
    exec(BLUR, made.__dict__)
    monkeypatch.setitem(sys.modules, "made_up", made)
    for function in ("made_up:blur", "builtins:sorted"):
        with pytest.raises(PolicyError, match=r"test.yaml:1\d: .* stands in no file"):
            policy(f"value: {{x: {{rule: custom, function: '{function}'}}}}")
