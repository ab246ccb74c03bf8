from __future__ import annotations

import pytest

from desensitizers.suggesting.names import is_name, meaning, words


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("customerEmail", ("customer", "email")),
        ("customer_e-mail", ("customer", "e", "mail")),
        ("HTTPServerName2", ("http", "server", "name", "2")),
        ("Straße", ("strasse",)),
        ("prénom", ("prenom",)),
        ("ID", ("id",)),
    ],
)
def test_names_of_any_spelling_become_words(name: str, split: tuple[str, ...]) -> None:
    assert words(name) == split


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("customer.email", "email"), ("eMailAddress", "email"), ("correo_electronico", "email"),
        ("kundenemail", "email"),
        ("Telefonnummer", "phone"), ("mobile_no", "phone"), ("numéro_de_téléphone", "phone"), ("msisdn", "phone"),
        ("firstName", "name"), ("Nachname", "name"), ("apellidos", "name"), ("cardHolderName", "name"),
        ("geburtsdatum", "born"), ("date_of_birth", "born"), ("fechaNacimiento", "born"),
        ("plz", "postcode"), ("zipCode", "postcode"), ("Straße", "address"), ("gender", "gender"),
        ("religion", "special"),
        ("passwordHash", "secret"), ("accessToken", "secret"), ("X-Api-Key", "secret"),
        ("amount_cents", "amount"), ("retryCount", "measure"), ("createdAt", "time"), ("status", "choice"),
        ("nationalInsuranceNumber", "national_id"), ("codice_fiscale", "national_id"), ("trace_id", "technical_id"),
    ],
)  # fmt: skip
def test_what_a_name_means_is_known_in_several_languages(path: str, kind: str) -> None:
    assert meaning(tuple(path.split("."))).kind == kind


@pytest.mark.parametrize("path", ["email_verified", "phoneCount", "password_changed_at", "address_type"])
def test_what_speaks_about_a_thing_does_not_hold_it(path: str) -> None:
    assert meaning((path,)).kind not in ("email", "phone", "secret", "address")


@pytest.mark.parametrize("path", ["account_id", "accountId", "discountCode"])
def test_a_word_within_a_word_is_no_measure(path: str) -> None:
    assert meaning((path,)).kind != "measure"


@pytest.mark.parametrize(
    ("path", "entity"),
    [
        ("customer_id", "customer"), ("customer.id", "customer"), ("Kundennummer", "customer"),
        ("clientRef", "customer"),
        ("x-user-id", "user"), ("order.no", "order"), ("paymentId", "payment"), ("acct_no", "account"),
    ],
)  # fmt: skip
def test_an_id_tells_whose_it_is(path: str, entity: str) -> None:
    found = meaning(tuple(path.split(".")))
    assert (found.entity, found.is_id) == (entity, True)


@pytest.mark.parametrize("key", ["anna@firma.de", "4930901820", "0b4c1f5e9a6d4c1e", "2026-03-01", "cus-38140275"])
def test_a_key_that_is_data_is_no_name(key: str) -> None:
    assert not is_name(key)
