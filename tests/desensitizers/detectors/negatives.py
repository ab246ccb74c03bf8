"""What technical records are full of and nobody's identifier: times, offsets, ids, hashes, versions, prices."""

from __future__ import annotations

import hashlib
import random
import string
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_YEARS = (1_420_070_400, 1_893_456_000)
"""2015 to 2030."""


def hard_negatives(rng: random.Random, count: int) -> Iterator[tuple[str, str]]:
    """(kind, text), all kinds equally often, bare, in JSON and in a log line."""
    kinds = sorted(_KINDS)
    for number in range(count):
        kind = kinds[number % len(kinds)]
        text = _KINDS[kind](rng)
        yield kind, rng.choice(("{}", '{{"a":{},"b":"x"}}', '{{"a":"{}"}}', "at {} retry", "x={}, y=2")).format(text)


def _seconds(rng: random.Random) -> int:
    return rng.randrange(*_YEARS)


def _ulid(rng: random.Random) -> str:
    value = (_seconds(rng) * 1000) << 80 | rng.getrandbits(80)
    return "".join(_CROCKFORD[value >> 5 * place & 31] for place in range(25, -1, -1))


def _uuid7(rng: random.Random) -> str:
    value = (_seconds(rng) * 1000 + rng.randrange(1000)) << 80 | rng.getrandbits(80)
    value = value & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62
    return str(uuid.UUID(int=value))


def _snowflake(rng: random.Random) -> str:
    """Of the two best-known epochs."""
    epoch = rng.choice((1_288_834_974_657, 1_420_070_400_000))
    return str((_seconds(rng) * 1000 - epoch) << 22 | rng.getrandbits(22))


def _iso(rng: random.Random) -> str:
    moment = datetime.fromtimestamp(_seconds(rng) + rng.random(), UTC)
    form = rng.choice(("%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%d %H:%M:%S+02:00", "%Y%m%d%H%M%S", "%Y%m%d"))
    return f"{moment:{form}}"


def _version(rng: random.Random) -> str:
    parts = [str(rng.randrange(40)) for _ in range(3)]
    name = rng.choice(("", "v", "kafka-", "release-", "jdk-", "redis@"))
    return name + ".".join(parts) + rng.choice(("", "-rc1", "+build.5", "-SNAPSHOT", f".{rng.randrange(10**5, 10**6)}"))


def _coordinates(rng: random.Random) -> str:
    places = rng.randrange(4, 9)
    latitude, longitude = rng.uniform(-90, 90), rng.uniform(-180, 180)
    form = rng.choice(("{:.{p}f},{:.{p}f}", "{:+.{p}f}, {:+.{p}f}", "[{:.{p}f},{:.{p}f}]", "{:.{p}f} {:.{p}f}"))
    return form.format(latitude, longitude, p=places)


def _price(rng: random.Random) -> str:
    cents = rng.randrange(1, 10**9)
    forms = (f"{cents / 100:.2f}", f"{cents / 100:,.2f} EUR", f"${cents / 100:,.2f}", f"{cents}", f"+{cents / 100:.2f}")
    return rng.choice(forms)


def _trace(rng: random.Random) -> str:
    return f"00-{rng.getrandbits(128):032x}-{rng.getrandbits(64):016x}-01"


def _path(rng: random.Random) -> str:
    return f"records/t/0/{rng.randrange(10**9):020d}.parquet"


def _offset(rng: random.Random) -> str:
    return f"payments-{rng.randrange(64)}@{rng.randrange(10 ** rng.randrange(1, 13))}"


def _text(rng: random.Random, alphabet: str, size: int) -> str:
    return "".join(rng.choice(alphabet) for _ in range(size))


_KINDS = {
    "epoch s": lambda rng: str(_seconds(rng)),
    "epoch ms": lambda rng: str(_seconds(rng) * 1000 + rng.randrange(1000)),
    "epoch us": lambda rng: str(_seconds(rng) * 10**6 + rng.randrange(10**6)),
    "epoch ns": lambda rng: str(_seconds(rng) * 10**9 + rng.randrange(10**9)),
    "offset": _offset,
    "number": lambda rng: str(rng.randrange(10 ** rng.randrange(1, 10))),
    "snowflake": _snowflake,
    "ulid": _ulid,
    "uuid4": lambda rng: str(uuid.UUID(int=rng.getrandbits(128), version=4)),
    "uuid7": _uuid7,
    "md5": lambda rng: hashlib.md5(rng.randbytes(8)).hexdigest(),
    "sha1": lambda rng: hashlib.sha1(rng.randbytes(8)).hexdigest(),
    "sha256": lambda rng: hashlib.sha256(rng.randbytes(8)).hexdigest(),
    "base64": lambda rng: _text(rng, string.ascii_letters + string.digits + "+/", rng.randrange(12, 60)),
    "trace": _trace,
    "version": _version,
    "price": _price,
    "coordinates": _coordinates,
    "iso": _iso,
    "file": _path,
    "object id": lambda rng: f"{_seconds(rng):08x}{rng.getrandbits(64):016x}",
    "host": lambda rng: f"broker-{rng.randrange(9)}.kafka.svc.cluster.local:9092",
    "image": lambda rng: f"registry.local/app@sha256:{hashlib.sha256(rng.randbytes(4)).hexdigest()}",
    "git": lambda rng: f"v{rng.randrange(9)}.{rng.randrange(20)}-{rng.randrange(99)}-g{rng.getrandbits(28):07x}",
    "order": lambda rng: f"ord-{_text(rng, string.digits, 8)}-{_text(rng, string.ascii_uppercase, 3)}",
    "ean": lambda rng: _ean(rng),
    "duration": lambda rng: f"PT{rng.randrange(60)}M{rng.randrange(60)}.{rng.randrange(10**6):06d}S",
}


def _ean(rng: random.Random) -> str:
    body = rng.choice(("40", "73", "50", "590")) + _text(rng, string.digits, 12)
    body = body[:12]
    total = sum(int(char) * (3 if place % 2 else 1) for place, char in enumerate(body))
    return body + str(-total % 10)
