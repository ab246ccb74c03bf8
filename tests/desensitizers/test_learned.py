from __future__ import annotations

import pytest

from desensitizers.learned import Learned

LEARNED = Learned(
    [
        ("name", "Zoë Müller"),
        ("name", "Anna"),
        ("id", "50127734"),
        ("id", "42"),
        ("", "Hauptstr. 5"),
        ("email", "a.b@c.de"),
        ("name", "Öz"),
        ("phone", "605 691 713"),
    ]
)


@pytest.mark.parametrize(
    ("text", "found", "domain"),
    [
        ("Rückfrage an ZOË MÜLLER, bitte", "ZOË MÜLLER", "name"),
        ("xzoë müllerx", "zoë müller", "name"),
        ("anna ruft an", "anna", "name"),
        ("acc-50127734 is low", "50127734", "id"),
        ("wohnt hauptstr. 5", "hauptstr. 5", ""),
        ("Grüße an Öz", "Öz", "name"),
        ("call 605 691 713 after six", "605 691 713", "phone"),
    ],
)
def test_an_original_is_found_in_a_text(text: str, found: str, domain: str) -> None:
    assert [(text[start:end], name) for start, end, name in LEARNED.find(text)] == [(found, domain)]


@pytest.mark.parametrize("text", ["Annabell", "Johanna", "150127734", "42 of them", "", "Muller"])
def test_parts_of_words_and_numbers_are_not(text: str) -> None:
    assert LEARNED.find(text) == []


def test_letters_that_grow_when_lowered_do_not_shift_places() -> None:
    text = "İİİ Zoë Müller"
    assert [text[start:end] for start, end, _domain in LEARNED.find(text)] in ([], ["Zoë Müller"])


def test_nothing_learned_finds_nothing() -> None:
    assert Learned([]).find("anything") == []
