"""Reads field names: splits them into words, finds what they mean, and whose id they may be."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from desensitizers.detectors import detector
from desensitizers.paths import EACH, MAP_KEY
from desensitizers.suggesting.vocabulary import ABOUT, ID_WORDS, PEOPLE, PHRASES, SAME_PEOPLE

_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[^\W\dA-Z_]+|[A-Z]+|\d+")
_NAME = re.compile(r"[^\W\d][\w $.:/-]{0,63}|[$@_][\w$-]{1,63}")
_DATA = re.compile(r"[0-9]{4}|[0-9a-fA-F]{12}|\w@\w")
_COMPOUND = 5
"""Letters that a phrase needs to be found at the end of a longer word."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a name says: `kind` is one of `PHRASES` or ""; `entity` is what it names an id of, or belongs to."""

    kind: str = ""
    phrase: str = ""
    """The words of the vocabulary that were found."""
    entity: str = ""
    is_id: bool = False
    of_person: bool = False
    """Whether it, or what holds it, is called by a word for people."""


def words(name: str) -> tuple[str, ...]:
    """``customerE-Mail2`` -> customer, e, mail, 2: lower case, without accents."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss"))
    return tuple(word.lower() for word in _WORDS.findall("".join(c for c in plain if not unicodedata.combining(c))))


@lru_cache(maxsize=20_000)
def is_name(key: str) -> bool:
    """Whether the key of an object looks like the name of a field; else it is data itself."""
    if _NAME.fullmatch(key) is None or _DATA.search(key) is not None:
        return False
    return key.islower() or _kind(words(key))[0] != "" or (0, len(key)) not in detector("name").find(key)


@lru_cache(maxsize=20_000)
def meaning(steps: Sequence[str]) -> Meaning:
    """What the last step of a path says, with those before it for context."""
    named = [words(step) for step in steps if step not in (EACH, MAP_KEY, "*")]
    if not named:
        return Meaning()
    last, before = named[-1], [word for step in named[:-1] for word in step]
    about = len(last) > 1 and last[-1] in ABOUT
    kind, phrase = _kind(last)
    if about and kind not in ("time", "choice", "measure", "amount", "technical_id", "text"):
        kind, phrase = _kind(last[-1:])
    if kind == "technical_id" and len(last) > 1 and not _weak(_kind(last[:-1])[0] or "time"):
        kind, phrase = _kind(last[:-1])  # the hash of a password is one to keep as safe
    if not kind and last[-1:] and last[-1] in PEOPLE:
        kind, phrase = "username", last[-1]
    entity, is_id = _entity(last, before)
    of_person = any(word in PEOPLE for word in (*last, *before)) and not about
    return Meaning(kind, phrase, entity, is_id and not about, of_person)


@lru_cache(maxsize=1)
def _joined() -> dict[str, tuple[str, str]]:
    """Phrase without spaces -> (meaning, phrase); what was named first has the word."""
    found: dict[str, tuple[str, str]] = {}
    for kind, phrases in PHRASES.items():
        for phrase in phrases.split(","):
            words = phrase.split()
            found.setdefault("".join(words), (kind, " ".join(words)))
    return found


def _kind(last: Sequence[str]) -> tuple[str, str]:
    """The longest phrase that the words end with, then one within them."""
    known = _joined()
    for end in range(len(last), 0, -1):
        for start in range(end):
            joined = "".join(last[start:end])
            found = known.get(joined) or known.get(joined.removesuffix("s"))
            if found is not None and (end == len(last) or not _weak(found[0])):
                return found
        for cut in range(1, len(last[end - 1]) - _COMPOUND + 1):
            found = known.get(last[end - 1][cut:])
            if found is not None and not _weak(found[0]):  # there is no count in an account
                return found
    return "", ""


def _weak(kind: str) -> bool:
    """Meanings that count at the end of a name only: ``status_note`` is a note, ``type_count`` a count."""
    return kind in ("choice", "measure", "amount", "time", "technical_id", "maybe_name", "text")


def _entity(last: Sequence[str], before: Sequence[str]) -> tuple[str, bool]:
    """What the name says it is the id of: the word before ``id``, in this step or the one above."""
    own = [word for word in last if not word.isdigit() and word not in ("x", "ce", "header")]
    is_id = bool(own) and own[-1] in ID_WORDS
    if not is_id:
        joined = "".join(own)
        tail = next((word for word in ("id", "nummer", "number", "nr", "no", "key") if joined.endswith(word)), "")
        head = joined.removesuffix(tail).removesuffix("_")
        if tail and SAME_PEOPLE.get(head, head) in PEOPLE:
            return SAME_PEOPLE.get(head, head), True
    rest = [word for word in own if word not in ID_WORDS]
    entity = rest[-1] if rest else next((word for word in reversed(before) if word not in ID_WORDS), "")
    return SAME_PEOPLE.get(entity, entity), is_id
