"""Customers that do not exist, the same ones for the same seed: names, e-mails, phones, IBANs, cards, notes."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from faker import Faker

LOCALES = ("de_DE", "en_GB", "fr_FR", "pl_PL")


@dataclass(frozen=True)
class Customer:
    """A person with one account."""

    customer_id: str
    account_id: str
    name: str
    email: str
    phone: str
    iban: str
    card: str
    opening_cents: int


def invent(count: int, seed: int) -> list[Customer]:
    """`count` customers; the same for the same seed (and the same release of Faker)."""
    chance = random.Random(seed)
    fakers = []
    for locale in LOCALES:
        faker = Faker(locale)
        faker.seed_instance(chance.getrandbits(64))
        fakers.append(faker)
    numbers = chance.sample(range(10_000_000, 100_000_000), 2 * count)
    customers = []
    for index in range(count):
        faker = chance.choice(fakers)
        name = f"{faker.first_name()} {faker.last_name()}"
        customers.append(
            Customer(
                customer_id=f"cus-{numbers[index]}",
                account_id=f"acc-{numbers[count + index]}",
                name=name,
                email=f"{_ascii(name)}{chance.randrange(10, 100)}@{faker.free_email_domain()}",
                phone=faker.phone_number(),
                iban=faker.iban(),
                card=faker.credit_card_number(card_type=chance.choice(("visa", "mastercard", "amex"))),
                # One in twenty is nearly broke: refusals belong to every day.
                opening_cents=chance.randrange(1_000, 20_000)
                if index % 20 == 7
                else chance.randrange(500_000, 5_000_000),
            )
        )
    return customers


def note(chance: random.Random, payer: Customer, payee: Customer) -> str | None:
    """What people write into the purpose of a payment: often nothing personal, sometimes all of it."""
    if chance.random() < 0.15:
        return None
    quote: Callable[[Customer, Customer, random.Random], str] = chance.choice(_NOTES)
    return quote(payer, payee, chance)


_NOTES: tuple[Callable[[Customer, Customer, random.Random], str], ...] = (
    lambda payer, payee, chance: f"Invoice {chance.randrange(10_000, 100_000)}",
    lambda payer, payee, chance: f"Miete {chance.randrange(1, 13):02d}/2026, Wohnung {chance.randrange(1, 40)}",
    lambda payer, payee, chance: "thanks for dinner 🍝",
    lambda payer, payee, chance: f"abonnement n° {chance.randrange(1_000, 10_000)}",
    lambda payer, payee, chance: f"order #{chance.randrange(100_000, 1_000_000)}",
    lambda payer, payee, chance: f"from {payer.name} for {payee.name}",
    lambda payer, payee, chance: f"Rückfragen an {payer.name}, {payer.phone}",
    lambda payer, payee, chance: f"please confirm to {payer.email}",
    lambda payer, payee, chance: f"card {_in_fours(payer.card)} was declined, paying by transfer",
    lambda payer, payee, chance: f"CALL {payee.name.upper()} ON {payee.phone}",
)


def _in_fours(card: str) -> str:
    return " ".join(card[start : start + 4] for start in range(0, len(card), 4))


_SPELT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ł": "l", " ": "."})


def _ascii(name: str) -> str:
    """The name as people spell it in an address."""
    spelt = name.lower().translate(_SPELT)
    plain = unicodedata.normalize("NFKD", spelt)
    return "".join(letter for letter in plain if letter.isascii() and (letter.isalnum() or letter == "."))
