"""What each detector takes and leaves, beyond what others' validators can vouch for."""

from __future__ import annotations

import re

import pytest
from schwifty.registry import get_iban_spec

from desensitizers.detectors import detector, iban
from desensitizers.detectors.calling_codes import LENGTHS
from desensitizers.errors import PolicyError
from tests.desensitizers.detectors.positives import iban_countries
from tests.desensitizers.helpers import policy, scrub

AWS = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
"""The key of AWS's own documentation."""
SPACED_JWT = "eyAiYWxnIiA6ICJIUzI1NiIgfQ.eyJhIjogMX0.cyPiomyCMMCoYlFy8Hq18f4nLYEgNEhoudZbSr5RRR0"
OLD_PEM = """-----BEGIN RSA PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-128-CBC,ABCDEF

G+jV7v53zupEA5Ps
-----END RSA PRIVATE KEY-----"""
SSH2_KEY = """---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----
G+jV7v53zupEA5Ps
---- END SSH2 ENCRYPTED PRIVATE KEY ----"""
PUTTY_KEY = "PuTTY-User-Key-File-3: ssh-rsa\nPrivate-Lines: 1\nG+jV7v53zupEA5Ps\nPrivate-MAC: 0a1b2c"
FOUND = [
    ("mac", "link 3C:22:FB:01:9a:bc up", "3C:22:FB:01:9a:bc"),
    ("mac", "from 3c22.fb01.9abc", "3c22.fb01.9abc"),
    ("url", "postgres://app:hunter2@db:5432/x", "app:hunter2"),
    ("url", "GET /x?api_key=abc123&n=1", "abc123"),
    ("secret", "AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    (
        "secret",
        f"aws_secret_access_key = {AWS}",
        AWS,
    ),
    ("secret", "AccountKey=" + "Zm9v" * 21 + "Zg==;x", "Zm9v" * 21 + "Zg=="),
    ("private_key", "-----BEGIN PRIVATE KEY-----\nMIIE", "-----BEGIN PRIVATE KEY-----\nMIIE"),
    ("national_id", "NRIC S1234567D here", "S1234567D"),
    ("national_id", "ID A123456789", "A123456789"),
    ("national_id", "AB 12 34 56 C", "AB 12 34 56 C"),
    ("phone", "+1.7035555555", "+1.7035555555"),
    ("ip", "host 10.2.3.4 down", "10.2.3.4"),
    ("ip", "from ::ffff:10.2.3.4 to", "::ffff:10.2.3.4"),
    ("ip", "via 64:ff9b::10.2.3.4", "64:ff9b::10.2.3.4"),
    ("mac", "eui 3c:22:fb:01:9a:bc:de:01", "3c:22:fb:01:9a:bc:de:01"),
    ("card", "Mir 2200270340952905", "2200270340952905"),
    ("card", "RuPay 8217 6048 1167 5785", "8217 6048 1167 5785"),
    ("card", "Troy 9792-2474-2611-7859", "9792-2474-2611-7859"),
    ("email", "to anna@[10.2.3.4] now", "anna@[10.2.3.4]"),
    ("email", "to anna@firma.xn--p1ai.", "anna@firma.xn--p1ai"),
    ("jwt", f"t={SPACED_JWT}", SPACED_JWT),
    ("private_key", f"k: {OLD_PEM}\nend", OLD_PEM),
    ("private_key", f"k: {SSH2_KEY}", SSH2_KEY),
    ("private_key", f"k: {PUTTY_KEY}\nend", PUTTY_KEY),
    ("secret", f'{{"secretAccessKey": "{AWS}"}}', AWS),
    ("secret", "glrt-_doIZrI9IqjKI5h9Z7co", "glrt-_doIZrI9IqjKI5h9Z7co"),
    ("secret", "dckr_pat_OxVF32s_dCew1y8juZCNYQPX5K7", "dckr_pat_OxVF32s_dCew1y8juZCNYQPX5K7"),
    ("secret", "x ATBB57bX4qcQzudj8w49vuLzSSixq5uR1MK6", "ATBB57bX4qcQzudj8w49vuLzSSixq5uR1MK6"),
]
EAGER = [
    ("phone", "call (415) 867-5309", "(415) 867-5309"),
    ("phone", "phone: 912 345 678", "912 345 678"),
    ("phone", "dial 011 49 170 1234567", "011 49 170 1234567"),
    ("card", "4194.8197.1718.7869", "4194.8197.1718.7869"),
    ("card", "4194  8197  1718  7869", "4194  8197  1718  7869"),
    ("iban", "IBANDE89370400440532013000", "DE89370400440532013000"),
    ("iban", "DE89-3704-0044-0532-0130-00", "DE89-3704-0044-0532-0130-00"),
    ("email", 'to "anna b"@firma.de', '"anna b"@firma.de'),
    ("secret", "Authorization: Basic c2x1OmVnZmwxIQ==", "c2x1OmVnZmwxIQ=="),
    ("secret", "Authorization: Bearer a1b2c3d4e5f6g7h8i9", "a1b2c3d4e5f6g7h8i9"),
    ("name", "said Katharina von Hohenfels yesterday", "Katharina von Hohenfels"),
    ("name", "ask Mr. Tanaka about it", "Tanaka"),
    ("address", "lives at Lange Straße 12a since", "Lange Straße 12a"),
    ("address", "1600 Pennsylvania Avenue", "1600 Pennsylvania Avenue"),
    ("address", "in 10115 Berlin", "10115 Berlin"),
    ("address", "5 rue de la Paix", "5 rue de la Paix"),
]
NOTHING = [
    ("mac", "00:00:5E:00:53:af 12:34:56 3c:22:fb:01:9a:bc:de"),
    ("url", "https://example.test:8443/a?page=2&n=3 mailto:x"),
    ("secret", "disk-usage sk-short key-1 AKIA1 task-force"),
    ("jwt", "eyJhbGciOiJ.x eyJub3RoaW5nIjoxfQ.e30.x"),
    ("phone", "+48.137154 +12.50 +4930123.45 +999123456789012 +1 212 555 0199"),
    ("jwt", "eyAi.eyB9.x ewogIm5vIjoxfQ.e30.x"),
    ("card", "4194.8197 9792247426117858 1763711234567890 8600242626407378901"),
    ("private_key", "-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----"),
    ("secret", "basic auth, secret_santa, sl.short, vck_x, patience.and.hope, EAA, 1//0"),
    ("ip", "version 1.2.3.4, 192.0.2.7, 198.51.100.1, 2001:db8::1"),
    ("name", "May the Force be with you; July was hot"),
    ("national_id", "123456782 1701215123456 200101-0000"),
]


@pytest.mark.parametrize(("name", "text", "found"), FOUND)
def test_it_is_found_in_texts_and_in_a_finished_copy(name: str, text: str, found: str) -> None:
    assert found in [text[start:end] for start, end in detector(name).find(text)]
    assert found in [text[start:end] for start, end in detector(name).leaks(text)]


@pytest.mark.parametrize(("name", "text", "found"), EAGER)
def test_it_is_found_in_texts(name: str, text: str, found: str) -> None:
    assert found in [text[start:end] for start, end in detector(name).find(text)]


@pytest.mark.parametrize(("name", "text"), NOTHING)
def test_what_is_none_or_nobodys_is_left(name: str, text: str) -> None:
    assert [text[start:end] for start, end in detector(name).leaks(text)] == []


def spelled(form: str) -> str:
    """The form of a national part, one letter a character."""
    return "".join(kind * int(size) for size, kind in re.findall(r"(\d+)!?([nac])", form))


def test_the_iban_registry_is_the_current_one() -> None:
    theirs = {country: spelled(get_iban_spec(country).bban_spec) for country in iban_countries()}
    assert {country: spelled(iban.BBAN[country]) for country in theirs} == theirs


def test_calling_codes_are_prefix_free() -> None:
    assert not [code for code in LENGTHS for other in LENGTHS if code != other and code.startswith(other)]


def test_what_was_replaced_in_a_text_is_found_no_more() -> None:
    names = "[email, phone, card, iban, national_id, ip, mac, url, jwt, secret, private_key]"
    note = " | ".join(text for _name, text, _found in FOUND)
    [done] = scrub(f"value: {{note: {{rule: scan, detectors: {names}}}}}", {"note": note})
    for name, _text, found in FOUND:
        assert found not in done["note"]
        assert not list(detector(name).leaks(done["note"])), name


def test_ner_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BLACKBOX_NER_MODEL", raising=False)
    with pytest.raises(PolicyError, match=r"test\.yaml:\d+: .*BLACKBOX_NER_MODEL"):
        policy("value: {note: {rule: scan, detectors: [ner]}}")
