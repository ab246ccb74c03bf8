"""Rules that put another text in place: dict, regex_replace, fpe, fake."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desensitizers.errors import PolicyError
from desensitizers.policy import Policy
from tests.desensitizers.helpers import SECRET, batch, policy, problems, scrub


def test_dict_takes_what_its_table_says_and_fails_on_the_rest() -> None:
    rule = "value: {city: {rule: dict, map: {Kiel: Northport, Ulm: Southfield}}}"
    assert scrub(rule, {"city": "Kiel"}, {"city": "Ulm"}) == [{"city": "Northport"}, {"city": "Southfield"}]
    said = problems(rule, batch([b'{"city":"Bonn"}']))
    assert "is not in the table" in said
    assert "Bonn" not in said


def test_dict_has_a_default_where_one_is_said() -> None:
    rule = "value: {city: {rule: dict, map: {Kiel: Northport}, default: Elsewhere}, n: {rule: dict, map: {7: 1}}}"
    assert scrub(rule, {"city": "Bonn", "n": 7}) == [{"city": "Elsewhere", "n": 1}]


def test_dict_reads_a_table_beside_the_policy(tmp_path: Path) -> None:
    (tmp_path / "cities.csv").write_text('Kiel,Northport\n"Ulm, Donau",Southfield\n')
    file = tmp_path / "p.yaml"
    text = 'version: 1\nsecret: {env: K}\ntopics: [{match: "*", value: {c: {rule: dict, file: cities.csv}}}]\n'
    file.write_text(text)
    done = Policy.load(file, env=SECRET).plan().for_topic("t").apply(batch([b'{"c":"Ulm, Donau"}']))
    assert done.batch.column("value").to_pylist() == [b'{"c":"Southfield"}']
    (tmp_path / "cities.csv").write_text("Kiel,Northport\nUlm\n")
    with pytest.raises(PolicyError, match=r"p\.yaml:3: .*two columns.*row 2"):
        Policy.load(file, env=SECRET)


def test_a_table_that_says_something_else_makes_another_policy(tmp_path: Path) -> None:
    """What the report, `verify-clean` and the lineage call the policy is all that decides what comes out."""
    text = 'version: 1\nsecret: {env: K}\ntopics: [{match: "*", value: {c: {rule: dict, file: cities.csv}}}]\n'
    (tmp_path / "p.yaml").write_text(text)
    by_tag = "schema_tags: {PII: {rule: dict, file: cities.csv}}\n"
    (tmp_path / "tags.yaml").write_text(text.replace("{rule: dict, file: cities.csv}", "keep") + by_tag)
    (tmp_path / "whole.yaml").write_text("version: 1\nimports: [p.yaml]\nsecret: {env: K}\n")

    def said(table: str) -> list[str]:
        (tmp_path / "cities.csv").write_text(table)
        return [Policy.load(tmp_path / name, env=SECRET).sha256 for name in ("p.yaml", "tags.yaml", "whole.yaml")]

    first, other, again = said("Kiel,Northport\n"), said("Kiel,Southport\n"), said("Kiel,Northport\n")
    assert again == first
    assert not set(first) & set(other)
    assert len(set(first)) == 3


def test_a_dict_that_merges_nothing_may_stand_on_a_key() -> None:
    policy("key: {rule: dict, map: {a: x, b: y}}")
    with pytest.raises(PolicyError, match="two keys into one"):
        policy("key: {rule: dict, map: {a: x, b: x}}")


def test_regex_replace_takes_every_match_and_fails_without_one() -> None:
    rule = r"value: {t: {rule: regex_replace, pattern: 'acc-(\d)\d+', with: 'acc-\1*'}}"
    assert scrub(rule, {"t": "acc-123 to acc-99"}) == [{"t": "acc-1* to acc-9*"}]
    assert "nothing that the pattern" in problems(rule, batch([b'{"t":"other"}']))
    keep = r"value: {t: {rule: regex_replace, pattern: '\d+', with: '#', unmatched: keep}}"
    assert scrub(keep, {"t": "none"}) == [{"t": "none"}]


def test_a_pattern_that_would_run_for_ever_elsewhere_takes_no_time() -> None:
    rule = "value: {t: {rule: regex_replace, pattern: '(a+)+$', with: x, unmatched: keep}}"
    text = "a" * 50_000 + "!"
    assert scrub(rule, {"t": text}) == [{"t": text}]


@pytest.mark.parametrize("pattern", ["(", "(?=x)", r"(a)\\1"])
def test_a_pattern_that_is_not_linear_is_refused_at_load(pattern: str) -> None:
    with pytest.raises(PolicyError, match="RE2"):
        policy(f"value: {{t: {{rule: regex_replace, pattern: '{pattern}', with: x}}}}".replace("\\\\", "\\"))


@pytest.mark.parametrize(
    ("alphabet", "letters"),
    [
        ("hex", "0123456789abcdef"),
        ("lower", string.ascii_lowercase),
        ("upper", string.ascii_uppercase),
        ("base36", string.digits + string.ascii_uppercase),
        ("base62", string.ascii_letters + string.digits),
    ],
)
def test_fpe_keeps_length_alphabet_and_punctuation_and_is_one_to_one(alphabet: str, letters: str) -> None:
    @given(st.lists(st.text(letters, min_size=2, max_size=24), min_size=2, max_size=12, unique=True))
    def holds(texts: list[str]) -> None:
        plan = policy(f"value: {{t: {{rule: fpe, alphabet: {alphabet}}}}}").plan()
        rule = plan.for_topic("t").value.leaves[0][1]
        written = [f"{text[:1]}-{text[1:]}" for text in texts]
        done = [rule.text(text) for text in written]
        assert len(set(done)) == len(texts)
        for before, after in zip(written, done, strict=True):
            assert len(after) == len(before)
            assert after[1] == "-"
            assert set(after) <= {*letters, "-"}

    holds()
    assert scrub(f"value: {{t: {{rule: fpe, alphabet: {alphabet}}}}}", {"t": "--" + letters[:12]})[0]["t"][:2] == "--"


def test_fpe_of_hex_keeps_upper_case_as_written() -> None:
    [done] = scrub("value: {t: {rule: fpe, alphabet: hex}}", {"t": "DEADBEEF00"})
    assert re.fullmatch("[0-9A-F]{10}", done["t"])
    [small] = scrub("value: {t: {rule: fpe, alphabet: hex}}", {"t": "deadbeef00"})
    assert small["t"] == done["t"].lower()
    assert "mixes" in problems("value: {t: {rule: fpe, alphabet: hex}}", batch([b'{"t":"DEad"}']))


def test_fpe_of_digits_is_the_surrogate_of_its_domain() -> None:
    rules = "{a: {rule: fpe, domain: id}, b: {domain: id}, c: {domain: id}}"
    [done] = scrub(f"value: {rules}", {"a": 42, "b": "42", "c": 42})
    assert str(done["a"]) == done["b"]
    assert done["a"] == done["c"] != 42


def test_fpe_refuses_what_is_too_short_or_too_long() -> None:
    for text in (b"A", b"A" * 41, b"-"):
        assert "characters of the alphabet" in problems(
            "value: {t: {rule: fpe, alphabet: upper}}", batch([b'{"t":"%s"}' % text])
        )


def test_fake_is_keyed_and_the_same_each_time_in_any_order() -> None:
    rule = "value: {c: {rule: fake, kind: city, locale: de_DE}}"
    forth = scrub(rule, {"c": "Kiel"}, {"c": "Ulm"}, {"c": "Bonn"})
    back = scrub(rule, {"c": "Bonn"}, {"c": "Ulm"}, {"c": "Kiel"})
    assert forth == back[::-1]
    assert len({row["c"] for row in forth}) > 1


@pytest.mark.parametrize("kind", ["email", "name", "phone_number", "credit_card_number", "citty"])
def test_fake_invents_no_identities(kind: str) -> None:
    with pytest.raises(PolicyError, match="kind"):
        policy(f"value: {{c: {{rule: fake, kind: {kind}}}}}")


def test_fake_is_refused_on_a_key_and_for_unknown_locales() -> None:
    with pytest.raises(PolicyError, match="two keys into one"):
        policy("key: {rule: fake, kind: city}")
    with pytest.raises(PolicyError, match="locale"):
        policy("value: {c: {rule: fake, kind: city, locale: xx_XX}}")
