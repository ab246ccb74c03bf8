"""Surrogates that stay in their originals' partitions, and surrogates that sort as their originals do."""

from __future__ import annotations

import json

import pytest
from confluent_kafka import murmur2 as kafkas
from hypothesis import given, settings
from hypothesis import strategies as st

from desensitizers.domains import Domain, DomainSpec
from desensitizers.errors import PolicyError, UnfitError
from desensitizers.keys import Keyring
from desensitizers.policy import Policy
from desensitizers.surrogates import ordered, partitions
from tests.desensitizers.helpers import SECRET, batch

KEYRING = Keyring(b"k" * 32)


def staying(kind: str, count: int, key: str = "{}") -> Domain:
    return Domain(DomainSpec("d", kind, options={"partitions": count, "key": key}), KEYRING)


def home(text: str, count: int, key: str = "{}") -> int:
    return kafkas(key.format(text).encode(), count)


@given(st.binary(max_size=40), st.integers(1, 1000))
def test_murmur2_is_kafkas(data: bytes, count: int) -> None:
    assert partitions.murmur2(data) % count == kafkas(data, count)


@pytest.mark.parametrize(("low", "high"), [(1, 10), (10, 100), (100, 1_000), (1_000, 10_000)])
def test_small_numbers_stay_move_and_stay_apart(low: int, high: int) -> None:
    ids = staying("digits", 12, "cust-{}")
    images = {}
    for number in range(low, high):
        try:
            images[number] = int(ids.surrogate(number))
        except UnfitError:  # alone in its partition
            assert high <= 100
    assert len(set(images.values())) == len(images)
    for number, image in images.items():
        assert image != number
        assert len(str(image)) == len(str(number))
        assert home(str(number), 12, "cust-{}") == home(str(image), 12, "cust-{}")


@given(st.sets(st.integers(10**7, 10**12), min_size=2, max_size=20))
@settings(max_examples=25)
def test_large_numbers_stay_and_stay_apart(numbers: set[int]) -> None:
    ids = staying("digits", 6)
    images = {number: ids.surrogate(number) for number in numbers}
    assert len(set(images.values())) == len(numbers)
    for number, image in images.items():
        assert home(str(number), 6) == home(str(image), 6)


@pytest.mark.parametrize("kind", ["name", "email", "hex", "uuid"])
def test_texts_stay(kind: str) -> None:
    ids = staying(kind, 8)
    for number in range(40):
        original = f"anna{number}@firma.de"
        assert home(original, 8) == home(str(ids.surrogate(original)), 8)


def test_a_policy_keeps_keys_in_their_partitions_and_values_beside_them() -> None:
    text = r"""
version: 1
secret: {env: K}
domains: {customer: {surrogate: digits, partitions: 12, key: "cust-{}"}}
topics: [{match: "*", key: {extract: "cust-(?P<id>\\d+)", id: {domain: customer}}, value: {id: {domain: customer}}}]
"""
    ids = range(20_000, 20_200)
    given = batch([b'{"id":%d}' % number for number in ids], [b"cust-%d" % number for number in ids])
    done = Policy.parse(text, env=SECRET).plan().for_topic("t").apply(given).batch
    keys, values = done.column("key").to_pylist(), done.column("value").to_pylist()
    assert [kafkas(key, 12) for key in keys] == [kafkas(b"cust-%d" % number, 12) for number in ids]
    assert keys == [b"cust-%d" % json.loads(value)["id"] for value in values]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("partitions: 1", "2 to 10000"),
        ("partitions: 4, key: cust", "{} in place"),
        ('partitions: 4, key: "{} {}"', "{} in place"),
        ('key: "cust-{}"', "name their number"),
        ("partitions: four", "whole number"),
    ],
)
def test_what_can_not_work_is_refused_at_load(options: str, says: str) -> None:
    head = f"version: 1\nsecret: {{env: K}}\ndomains:\n  d: {{surrogate: digits, {options}}}\n"
    with pytest.raises(PolicyError) as caught:
        Policy.parse(head + 'topics: [{match: "*", key: {domain: d}}]\n', file="p.yaml", env=SECRET)
    assert str(caught.value).startswith("p.yaml:4: ")
    assert says in str(caught.value)


@given(st.lists(st.integers(0, ordered.LARGEST - 1), min_size=2, max_size=20, unique=True))
def test_ordered_surrogates_sort_as_their_originals_as_numbers_and_as_text(numbers: list[int]) -> None:
    ids = Domain(DomainSpec("d", "ordered"), KEYRING)
    in_order = sorted(numbers)
    images = [ids.surrogate(number) for number in in_order]
    assert images == sorted(set(images))
    texts = [ids.surrogate(str(number)) for number in in_order]
    assert texts == sorted(texts)
    assert all(int(text) == image for text, image in zip(texts, images, strict=True))


def test_neighbours_in_order_stay_apart_and_another_secret_puts_them_elsewhere() -> None:
    ours, theirs = (Domain(DomainSpec("d", "ordered"), Keyring(secret * 32)) for secret in (b"a", b"b"))
    images = [int(ours.surrogate(number)) for number in range(500)]
    assert images == sorted(set(images))
    assert not set(images) & {int(theirs.surrogate(number)) for number in range(500)}


def test_ordered_refuses_what_it_has_no_room_for() -> None:
    ids = Domain(DomainSpec("d", "ordered"), KEYRING)
    for number in (-1, ordered.LARGEST):
        with pytest.raises(UnfitError, match="ordered"):
            ids.surrogate(number)
    head = "version: 1\nsecret: {env: K}\ndomains: {d: {surrogate: ordered}}\n"
    text = head + 'topics: [{match: "*", key: {format: int32, domain: d}}]'
    with pytest.raises(PolicyError, match="doesn't fit int32"):
        Policy.parse(text, env=SECRET)
