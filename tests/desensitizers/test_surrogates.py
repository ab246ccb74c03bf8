from __future__ import annotations

import random
import re
from importlib import import_module
from pkgutil import iter_modules

import pytest
from faker.providers import address, person
from hypothesis import given, settings
from hypothesis import strategies as st

from desensitizers.detectors import card, detector, iban
from desensitizers.domains import Domain, DomainSpec
from desensitizers.keys import Keyring
from desensitizers.proof.needles import ANYWHERE_FROM
from desensitizers.surrogates import fictional, words
from desensitizers.surrogates.kinds import KINDS
from desensitizers.surrogates.permutation import Permutation
from tests.desensitizers.detectors.positives import MAKERS

KEYRING = Keyring(b"k" * 32)


def domain(kind: str, name: str = "d", **options: int | str) -> Domain:
    return Domain(DomainSpec(name, kind, options=options), KEYRING)


@given(st.integers(min_value=2, max_value=3_000), st.binary(min_size=32, max_size=32))
@settings(max_examples=40)
def test_a_small_permutation_is_one_to_one_and_leaves_nothing_in_place(n: int, key: bytes) -> None:
    permutation = Permutation(key, n)
    images = [permutation(value) for value in range(n)]
    assert sorted(images) == list(range(n))
    assert all(image != value for value, image in enumerate(images))


@given(st.integers(min_value=2**20 + 1, max_value=10**18), st.data())
@settings(max_examples=40)
def test_a_large_permutation_is_one_to_one(n: int, data: st.DataObject) -> None:
    permutation = Permutation(b"k" * 32, n)
    values = data.draw(st.sets(st.integers(min_value=0, max_value=n - 1), min_size=2, max_size=50))
    images = {permutation(value) for value in values}
    assert len(images) == len(values)
    assert all(0 <= image < n for image in images)


@given(st.integers(min_value=-(2**63) + 1, max_value=2**63 - 1))
def test_a_number_stays_a_number_of_the_same_width_sign_and_size(number: int) -> None:
    result = domain("digits").surrogate(number)
    assert isinstance(result, int)
    assert len(str(abs(result))) == len(str(abs(number)))
    assert (result < 0) <= (number < 0)
    assert -(2**63) < result < 2**63
    if abs(number) < 2**31:
        assert abs(result) < 2**31


def test_one_customer_has_one_surrogate_as_number_text_and_padded_text() -> None:
    ids = domain("digits")
    number = ids.surrogate(42)
    assert ids.surrogate("42") == str(number)
    assert ids.surrogate("000042") == str(number).zfill(6)
    assert ids.surrogate("4-2") == "-".join(str(number))


@pytest.mark.parametrize(
    ("kind", "original"),
    [
        ("email", "anna@firma.de"),
        ("phone", "+49 170 1234567"),
        ("card", "4539578763621486"),
        ("iban", "DE89370400440532013000"),
        ("ip", "84.12.7.9"),
    ],
)
def test_surrogates_lie_in_reserved_ranges(kind: str, original: str) -> None:
    result = str(domain(kind).surrogate(original))
    assert list(detector(kind).leaks(original))
    assert not list(detector(kind).leaks(f"see {result} there"))


def test_surrogates_have_the_form_that_systems_check() -> None:
    assert card.valid(str(domain("card").surrogate("4539578763621486")))
    number = str(domain("iban").surrogate("DE89 3704 0044 0532 0130 00"))
    assert number.count(" ") == 5
    compact = number.replace(" ", "")
    assert int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97 == 1
    assert not iban.valid(number)


def test_a_kept_card_prefix_never_gives_a_valid_number() -> None:
    cards = domain("card", keep_prefix=6)
    for number in range(200):
        body = f"453957{number:09d}"
        result = str(cards.surrogate(f"{body}{card.luhn_digit(body)}"))
        assert result.startswith("453957")
        assert not card.valid(result)


@given(st.sets(st.text(min_size=1), min_size=2, max_size=20), st.sampled_from(["email", "name", "hex", "uuid"]))
def test_different_originals_have_different_surrogates(texts: set[str], kind: str) -> None:
    ours = Domain(DomainSpec("d", kind, canonical="raw"), KEYRING)
    canonicals = {ours.canonical(text) for text in texts}
    assert len({ours.surrogate(text) for text in texts}) == len(canonicals)


SMALL = {"ip", "mac", "phone_local"}
"""Kinds that draw from the few addresses and numbers kept for documents and films: two secrets meet there by chance."""


def some(kind: str) -> list[str]:
    """Originals that a kind can take."""
    chance = random.Random(3)
    if kind in MAKERS:
        return list(dict.fromkeys(identifier for _text, identifier in MAKERS[kind](chance, 300)))
    if kind in ("digits", "ordered", "fpe"):
        return [str(chance.randrange(10**9, 10**10)) for _ in range(300)]
    return [f"030 {chance.randrange(10**6, 10**7)}" if kind == "phone_local" else f"Person {n}" for n in range(300)]


@pytest.mark.parametrize("kind", KINDS)
def test_another_secret_has_no_surrogate_in_common_whatever_the_kind(kind: str) -> None:
    originals = some(kind)
    options = {"country": "49"} if kind.startswith("phone") else {}
    ours, theirs = (
        [str(Domain(DomainSpec("d", kind, options=options), Keyring(secret * 32)).surrogate(one)) for one in originals]
        for secret in (b"a", b"b")
    )
    assert not set(ours) & set(originals)
    if kind in SMALL:
        assert sum(map(str.__eq__, ours, theirs)) < len(originals) / 20
    else:
        assert not set(ours) & set(theirs)


def test_domains_and_secrets_do_not_correlate() -> None:
    other = Domain(DomainSpec("d", "name"), Keyring(b"z" * 32))
    results = {domain("name").surrogate("Anna"), domain("name", "e").surrogate("Anna"), other.surrogate("Anna")}
    assert len(results) == 3


def test_surrogates_are_stable_for_ever() -> None:
    """Captures of different years join on these: a change needs a new version of the function."""
    known = {
        ("digits", "4711"): "2833",
        ("name", "Anna Schmidt"): "Xizyqaquwa Vyxyxequja c51v",
        ("email", "anna@firma.de"): "vuveqevaza.javizejave.yqk3@example.test",
        ("phone", "+491701234567"): "+999074247147259",
        ("card", "4539578763621486"): "4000000101372623",
        ("iban", "DE89370400440532013000"): "XT38459022549811872944",
        ("hex", "x"): "83d3a488460b4c19e1d0633ef4dee2f5",
        ("uuid", "x"): "80f8610a-fbbe-8498-9f75-ab6f9eeec814",
    }
    assert {label: domain(label[0]).surrogate(label[1]) for label in known} == known


def test_no_name_of_any_country_stands_in_a_surrogate_by_chance() -> None:
    """It would be found there, and the copy refused: with ordinary syllables, from ten thousand customers on."""
    onset, vowel = f"[{words.ONSETS}]", f"[{words.VOWELS}]"
    inside = re.compile(f"{vowel}?({onset}{vowel})*{onset}?([ .]({onset}{vowel})*{onset}?)?", re.IGNORECASE)
    providers = [
        import_module(f"{package.__name__}.{module.name}").Provider
        for package in (person, address)
        for module in iter_modules(package.__path__)
    ]
    kinds = ("first_names", "last_names", "first_romanized_names", "last_romanized_names", "cities", "countries")
    lists = [getattr(provider, kind, ()) for provider in providers for kind in kinds]
    names = {
        name
        for listed in lists
        if not isinstance(listed, property)
        for name in listed
        if isinstance(name, str) and len(name) >= ANYWHERE_FROM
    }
    assert len(names) > 10_000
    assert [name for name in names if inside.fullmatch(name)] == []


@pytest.mark.parametrize(
    ("kind", "original", "form"),
    [
        ("mac", "3C:22:FB:01:9A:BC", r"00:00:5E:00:53:[0-9A-F]{2}"),
        ("mac", "3c22.fb01.9abc", r"0000\.5e00\.53[0-9a-f]{2}"),
        ("ip", "84.12.7.9", r"(192\.0\.2|198\.51\.100|203\.0\.113)\.\d+"),
        ("ip", "2a00::1", r"2001:db8(:[0-9a-f]+){6}"),
        ("phone_local", "+44 20 7946 1234", r"\+44\d{10}"),
        ("phone_local", "+1 415 867 5309", r"\+1\d{3}55501\d\d"),
        ("phone_local", "+355 4 227 2222", r"\+999\d{12}"),
    ],
)
def test_addresses_and_local_numbers_come_from_what_is_kept_for_documents_and_films(
    kind: str, original: str, form: str
) -> None:
    result = str(domain(kind).surrogate(original))
    assert re.fullmatch(form, result)
    name = "phone" if kind == "phone_local" else kind
    assert list(detector(name).leaks(original))
    assert not list(detector(name).leaks(f"see {result} there"))


def test_every_number_kept_for_films_is_known_as_such() -> None:
    for code in fictional.BLOCKS:
        for bits in range(500):
            number = fictional.number_for(code, bits)
            assert number is not None
            assert fictional.is_fictional(number.removeprefix("+"))
