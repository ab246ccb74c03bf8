from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desensitizers import canonical
from desensitizers.errors import UnfitError


@pytest.mark.parametrize("text", ["42", "042", " 42", "4 2", "4-2", "00042"])
def test_a_number_is_the_same_in_every_grouping(text: str) -> None:
    assert canonical.digits(text) == "42"


def test_a_negative_number_keeps_its_sign_and_zero_is_zero() -> None:
    assert canonical.digits("-042") == "-42"
    assert canonical.digits("000") == "0"


@pytest.mark.parametrize("text", ["cust-42", "42a", "Anna", "", "x"])
def test_text_with_letters_is_no_number_because_the_letters_would_be_forgotten(text: str) -> None:
    with pytest.raises(UnfitError):
        canonical.digits(text)


@pytest.mark.parametrize(
    "text", ["+49 170 1234567", "0049170 1234567", "0170-1234567", "+49 (0)170 123 45 67", "491701234567"]
)
def test_a_phone_number_is_e164(text: str) -> None:
    assert canonical.phone(text, "49") == "+491701234567"


def test_addresses_differ_neither_by_case_nor_by_mailto() -> None:
    assert canonical.email("MAILTO:Anna@Firma.DE") == canonical.email(" <anna@firma.de> ") == "anna@firma.de"


def test_composed_and_decomposed_letters_are_one() -> None:
    assert canonical.words("Mu\u0308ller  Anna") == canonical.words("müller anna")


@given(st.integers(min_value=0, max_value=10**18))
def test_an_integer_and_its_text_are_one(number: int) -> None:
    assert canonical.digits(str(number)) == canonical.digits(str(number).zfill(20)) == str(number)


@given(st.sampled_from(sorted(canonical.FUNCTIONS)), st.text())
def test_canonical_forms_are_stable(name: str, text: str) -> None:
    function = canonical.FUNCTIONS[name]
    try:
        once = function(text)
    except UnfitError:
        return
    if name != "phone":  # a national number without a country is no E.164 number yet
        assert function(once) == once
