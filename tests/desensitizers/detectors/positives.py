"""Real-looking identifiers, made with other people's validators and published ranges; nothing of ours is used.

Each function gives (text, the identifier in it). Sentences around them are such as logs and notes have.
"""

from __future__ import annotations

import base64
import ipaddress
import itertools
import json
import random
import string
from collections.abc import Callable, Iterator
from importlib import import_module

import phonenumbers
import rstr
import stdnum.luhn
from faker import Faker
from schwifty import IBAN
from schwifty.exceptions import SchwiftyException
from schwifty.registry import get_iban_spec

AROUND = (
    "{}",
    "see {}, please",
    '{{"value":"{}","n":1}}',
    "from={} to=x",
    "({})",
    "customer wrote:\n{}\nbye",
    "id {} was refused.",
)
Positive = tuple[str, str]


def placed(rng: random.Random, identifier: str, around: tuple[str, ...] = AROUND) -> Positive:
    return rng.choice(around).format(identifier), identifier


def emails(rng: random.Random, count: int) -> Iterator[Positive]:
    fake = Faker(["en_US", "de_DE", "fr_FR", "pl_PL", "ja_JP"])
    Faker.seed(rng.randrange(1 << 30))
    maker = rstr.Rstr(rng)
    locals_ = ("{a}.{b}", "{a}+{b}", "{a}_{b}99", "o'{b}", "{a}-{b}", "x", "{a}!{b}", "{b}%{a}", "1.{a}")
    for _ in range(count):
        a, b = (maker.xeger(r"[a-z]{2,9}") for _ in range(2))
        local = rng.choice(locals_).format(a=a, b=b)
        host = rng.choice((fake.domain_name(), f"{a}.co.uk", f"mail.{b}-{a}.museum", "xn--mller-kva.de", "müller.de"))
        yield placed(rng, f"{local}@{host}")


def cards(rng: random.Random, count: int) -> Iterator[Positive]:
    """Issuer ranges and lengths as the schemes publish them; not the test numbers."""
    schemes = (
        (lambda: "4" + str(rng.randrange(10**5)).zfill(5), 16),
        (lambda: str(rng.randrange(51, 56)) + str(rng.randrange(10**4)).zfill(4), 16),
        (lambda: str(rng.randrange(222100, 272100)), 16),
        (lambda: rng.choice(("34", "37")) + str(rng.randrange(10**4)).zfill(4), 15),
        (lambda: "6011" + str(rng.randrange(100)).zfill(2), 16),
        (lambda: str(rng.randrange(644, 650)) + str(rng.randrange(1000)).zfill(3), 16),
        (lambda: str(rng.randrange(3528, 3590)) + str(rng.randrange(100)).zfill(2), 16),
        (lambda: "62" + str(rng.randrange(10**4)).zfill(4), 16),
    )
    while count:
        prefix, length = rng.choice(schemes)
        body = prefix()
        body += "".join(rng.choice(string.digits) for _ in range(length - 1 - len(body)))
        if body.startswith(("378282", "400000", "555555", "222300", "601111")):
            continue
        number = body + stdnum.luhn.calc_check_digit(body)
        if rng.random() < 0.5:
            sizes = (4, 6, 5) if length == 15 else (4, 4, 4, 4)
            sign, groups, at = rng.choice(" -"), [], 0
            for size in sizes:
                groups.append(number[at : at + size])
                at += size
            number = sign.join(groups)
        count -= 1
        yield placed(rng, number)


def iban_countries() -> list[str]:
    """Countries of the registry whose banks issue such numbers."""
    found = []
    for first, second in itertools.product(string.ascii_uppercase, repeat=2):
        try:
            spec = get_iban_spec(first + second)
        except (KeyError, ValueError, SchwiftyException):
            continue
        if not spec.aspirational:
            found.append(first + second)
    return found


def ibans(rng: random.Random, count: int) -> Iterator[Positive]:
    """Of every country of the registry in turn."""
    countries = itertools.cycle(iban_countries())
    while count:
        number = IBAN.random(country_code=next(countries), random=rng, use_registry=False)
        if not number.is_valid:
            continue
        count -= 1
        yield placed(rng, number.formatted if rng.random() < 0.5 else number.compact)


def phones(rng: random.Random, count: int) -> Iterator[Positive]:
    """Numbers of every region and kind, as phonenumbers knows them, with other last digits when those are valid."""
    samples = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in (0, 1, 2, 3, 6):
            sample = phonenumbers.example_number_for_type(region, kind)
            if sample is not None:
                samples.append(sample)
    forms = (
        phonenumbers.PhoneNumberFormat.E164,
        phonenumbers.PhoneNumberFormat.INTERNATIONAL,
        phonenumbers.PhoneNumberFormat.RFC3966,
    )
    while count:
        sample = rng.choice(samples)
        text = phonenumbers.format_number(sample, phonenumbers.PhoneNumberFormat.E164)
        other = text[:-3] + str(rng.randrange(1000)).zfill(3)
        try:
            number = phonenumbers.parse(other)
        except phonenumbers.NumberParseException:
            continue
        if not phonenumbers.is_valid_number(number):
            continue
        written = phonenumbers.format_number(number, rng.choice(forms)).removeprefix("tel:")
        count -= 1
        yield placed(rng, written)


# name of a stdnum module: how numbers are written, and the words before those that need one
NATIONAL: dict[str, tuple[str, tuple[str, ...]]] = {
    "us.itin": (r"9\d\d-(5\d|6[0-5]|7\d|8[0-8])-\d{4}", AROUND),
    "us.ssn": (r"[1-8]\d\d-\d\d-\d{4}", AROUND),
    "gb.nhs": (r"\d{3} \d{3} \d{4}|\d{10}", ("NHS number {}", '{{"nhs_no":"{}"}}')),
    "de.idnr": (r"[1-9]\d{10}", AROUND),
    "fr.nir": (r"[12] [0-9]{2} (0[1-9]|1[0-2]) [0-9]{2} [0-9]{3} [0-9]{3} [0-9]{2}", AROUND),
    "es.dni": (r"\d{8}-?[A-HJ-NP-TV-Z]", AROUND),
    "es.nie": (r"[XYZ]\d{7}[A-HJ-NP-TV-Z]", AROUND),
    "it.codicefiscale": (r"[A-Z]{6}\d\d[A-EHLMPRST][0-2]\d[A-M]\d{3}[A-Z]", AROUND),
    "nl.bsn": (r"\d{9}", ("BSN {}", '{{"bsn":"{}"}}', "burgerservicenummer: {}")),
    "be.nn": (r"\d\d\.(0\d|1[0-2])\.[0-2]\d-\d{3}\.\d\d", AROUND),
    "pl.pesel": (r"\d\d(0[1-9]|1[0-2])[0-2]\d{6}", ("PESEL {}", '{{"pesel":"{}"}}')),
    "se.personnummer": (r"\d\d(0[1-9]|1[0-2])[0-2]\d-\d{4}", AROUND),
    "fi.hetu": (r"[0-2]\d(0[1-9]|1[0-2])\d\d-\d{3}[0-9A-FHJ-NPR-Y]", AROUND),
    "no.fodselsnummer": (r"[0-2]\d(0[1-9]|1[0-2])\d{7}", AROUND),
    "br.cpf": (r"\d{3}\.\d{3}\.\d{3}-\d\d", AROUND),
    "in_.aadhaar": (r"[2-9]\d{3} \d{4} \d{4}", AROUND),
    "cn.ric": (r"110101(19[5-9]\d|200\d)(0[1-9]|1[0-2])[0-2]\d\d{3}[\dX]", AROUND),
    "ca.sin": (r"[1-7]\d{2}-\d{3}-\d{3}", ("SIN {}", '{{"sin":"{}"}}', "Social Insurance Number: {}")),
    "tr.tckimlik": (r"[1-9]\d{10}", ("TCKN {}", "T.C. kimlik no {}")),
    "ro.cnp": (r"[12]\d\d(0[1-9]|1[0-2])[0-2]\d(0[1-9]|[1-3]\d|4[0-6])\d{4}", ("CNP {}", '{{"cnp":"{}"}}')),
    "cz.rc": (r"\d\d(0[1-9]|1[0-2]|5[1-9])[0-2]\d/\d{4}", AROUND),
    "za.idnr": (r"\d\d(0[1-9]|1[0-2])[0-2]\d{5}[01]8\d", AROUND),
    "ch.ssn": (r"756\.\d{4}\.\d{4}\.\d\d", AROUND),
    "kr.rrn": (r"\d\d(0[1-9]|1[0-2])[0-2]\d-[12]\d{6}", AROUND),
    "mx.curp": (r"[A-Z][AEIOU][A-Z]{2}\d\d(0[1-9]|1[0-2])[0-2]\d[HM](DF|JC|NL)[B-DF-HJ-NP-TV-Z]{3}\d\d", AROUND),
    "ie.pps": (r"\d{7}[A-W]A?", AROUND),
    "cl.rut": (r"\d{2}\.\d{3}\.\d{3}-[\dK]", AROUND),
    "ar.cuit": (r"20-\d{8}-\d", AROUND),
    "pt.nif": (r"[12]\d{8}", ("NIF {}", "contribuinte {}")),
    "at.vnr": (r"[1-9]\d{3} [0-2]\d(0[1-9]|1[0-2])\d\d", ("SVNR {}", "Sozialversicherungsnummer {}")),
    "hr.oib": (r"\d{11}", ("OIB {}", '{{"oib":"{}"}}')),
    "ee.ik": (r"[34]\d\d(0[1-9]|1[0-2])[0-2]\d{5}", ("isikukood {}", "IK {}")),
    "au.tfn": (r"\d{3} \d{3} \d{3}", ("TFN {}", "tax file number {}")),
    "il.idnr": (r"0\d{8}", ("teudat zehut {}",)),
}


def national_ids(rng: random.Random, count: int) -> Iterator[Positive]:
    makers = {name: _numbers(rng, name) for name in NATIONAL}
    names = sorted(NATIONAL)
    for number in range(count):
        name = names[number % len(names)]
        yield placed(rng, next(makers[name]), NATIONAL[name][1])


def _numbers(rng: random.Random, name: str) -> Iterator[str]:
    valid: Callable[[str], bool] = import_module(f"stdnum.{name}").is_valid
    maker = rstr.Rstr(rng)
    while True:
        number = maker.xeger(NATIONAL[name][0])
        if valid(number):
            yield number


def addresses(rng: random.Random, count: int) -> Iterator[Positive]:
    reserved = [ipaddress.ip_network(net) for net in ("0.0.0.0/8", "127.0.0.0/8", "192.0.2.0/24", "198.51.100.0/24")]
    while count:
        if rng.random() < 0.5:
            four = ipaddress.IPv4Address(rng.getrandbits(32))
            if four.is_multicast or four.is_reserved or any(four in net for net in reserved):
                continue
            text = str(four)
        else:
            six = ipaddress.IPv6Address(0x2A << 120 | rng.getrandbits(120 if rng.random() < 0.5 else 16))
            text = rng.choice((six.compressed, six.exploded, six.exploded.upper()))
        count -= 1
        yield placed(rng, text, AROUND[:6])


def macs(rng: random.Random, count: int) -> Iterator[Positive]:
    for _ in range(count):
        digits = f"{rng.getrandbits(48) | 1 << 46:012x}"
        sign, size = rng.choice(((":", 2), ("-", 2), (".", 4)))
        if sign == "." and digits.isdigit():
            digits = "a" + digits[1:]
        text = sign.join(digits[at : at + size] for at in range(0, 12, size))
        yield placed(rng, rng.choice((text, text.upper())), AROUND[:6])


def tokens(rng: random.Random, count: int) -> Iterator[Positive]:
    """Forms out of the publishers' documentation."""
    forms = (
        r"(AKIA|ASIA)[A-Z2-7]{16}", r"AIza[A-Za-z0-9_]{35}", r"gh[pousr]_[A-Za-z0-9]{36}", r"glpat-[A-Za-z0-9_]{20}",
        r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}", r"xoxb-[0-9]{11,13}-[0-9]{11,13}-[A-Za-z0-9]{24}",
        r"(sk|rk)_live_[A-Za-z0-9]{24,99}", r"SG\.[A-Za-z0-9_]{22}\.[A-Za-z0-9_]{43}", r"npm_[A-Za-z0-9]{36}",
        r"ya29\.[A-Za-z0-9_]{60}", r"dop_v1_[a-f0-9]{64}", r"shpat_[a-f0-9]{32}", r"hvs\.[A-Za-z0-9_]{90}",
        r"sk-proj-[A-Za-z0-9_]{74}", r"whsec_[A-Za-z0-9]{32}", r"[A-Za-z0-9]{3}8Q~[A-Za-z0-9_.~]{33}A",
    )  # fmt: skip
    maker = rstr.Rstr(rng)
    for _ in range(count):
        yield placed(rng, maker.xeger(rng.choice(forms)), AROUND[:6])


def jwts(rng: random.Random, count: int) -> Iterator[Positive]:
    for number in range(count):
        header = {"alg": rng.choice(("HS256", "RS256", "ES256", "none")), "typ": "JWT"}
        body = {"sub": str(number), "name": "x" * rng.randrange(20)}
        parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, body)]
        signature = base64.urlsafe_b64encode(rng.randbytes(32)).decode().rstrip("=") if header["alg"] != "none" else ""
        yield placed(rng, ".".join([*parts, signature]), AROUND[:5])


def private_keys(rng: random.Random, count: int) -> Iterator[Positive]:
    kinds = ("", "RSA ", "EC ", "DSA ", "ENCRYPTED ", "OPENSSH ")
    for _ in range(count):
        kind = rng.choice(kinds)
        lines = [base64.b64encode(rng.randbytes(48)).decode() for _ in range(rng.randrange(2, 20))]
        text = "\n".join((f"-----BEGIN {kind}PRIVATE KEY-----", *lines, f"-----END {kind}PRIVATE KEY-----"))
        yield placed(rng, text, ("{}", "key:\n{}\nend"))


def urls(rng: random.Random, count: int) -> Iterator[Positive]:
    maker = rstr.Rstr(rng)
    schemes = ("https", "postgres", "amqps", "mongodb+srv", "redis", "ftp", "jdbc:mysql")
    for _ in range(count):
        user, password = maker.xeger(r"[a-z]{3,9}"), maker.xeger(r"[A-Za-z0-9!$%^&*+=.~-]{6,20}")
        identifier = f"{user}:{password}"
        yield f"connecting to {rng.choice(schemes)}://{identifier}@db.company.io:5432/x failed", identifier


MAKERS: dict[str, Callable[[random.Random, int], Iterator[Positive]]] = {
    "email": emails,
    "card": cards,
    "iban": ibans,
    "phone": phones,
    "national_id": national_ids,
    "ip": addresses,
    "mac": macs,
    "secret": tokens,
    "jwt": jwts,
    "private_key": private_keys,
    "url": urls,
}
