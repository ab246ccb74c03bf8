"""Texts that hold something else: JSON in a string, a JWT, a query, in base64 or percent encoding.

What is inside is taken out, meets rules of its own under the same path language, and goes back in the same encodings.
A text in which nothing changes stays as it is, letter for letter.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from urllib.parse import quote_plus

import msgspec

from desensitizers.encodings import decode
from desensitizers.errors import Refusal, UnfitError
from desensitizers.json.rewriter import JsonRewriter
from desensitizers.leaves import LeafRule, LeafRules
from desensitizers.pathrules import PathRules
from desensitizers.sink import Sink
from desensitizers.spec import InsideSpec

_BASE = "@url"
"""The path of what stands before the ``?`` of a query."""
_JWT_PARTS = {("header",), ("payload",)}
_RAW = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Inside:
    """A function of texts that hold something."""

    def __init__(self, spec: InsideSpec, path: str, rules: LeafRules) -> None:
        self._where = f"{path} ({' '.join((*spec.encodings, spec.form))})"
        self._encodings = spec.encodings
        self.leaves: list[LeafRule] = []
        if spec.leaf is not None:
            leaf = rules.make(spec.leaf, path)
            self.leaves = [leaf]
            self._rewrite: Callable[[bytes], bytes] = lambda data: leaf.text(data.decode()).encode()
            return
        named = [(inner, rules.make(one, inner)) for inner, one in spec.paths]
        self.leaves = [leaf for _path, leaf in named]
        self._rules = PathRules(
            named,
            rules.unknown(spec.unknown, spec.line),
            f"within {path}",
            learning=rules.learning,
            file=spec.file,
            unknown_names=rules.unknown_names(spec.unknown, spec.line),
            fixed=_JWT_PARTS.__contains__ if spec.form == "jwt" else None,
        )
        self._json = JsonRewriter(path, self._rules, Sink())
        self._key = rules.context.keyring.derive("default", "jwt", 1)
        self._rewrite = {"json": self._json.rewrite, "jwt": self._jwt, "query": self._query}[spec.form]

    def text(self, text: str) -> str:
        """The clean text. Raises Refusal and UnfitError."""
        try:
            data = text.encode()
            again = []
            for name in self._encodings:
                data, encode = decode(name, data)
                again.append(encode)
            clean = self._rewrite(data)
            if clean == data:
                return text
            for encode in reversed(again):
                clean = encode(clean)
            return clean.decode()
        except Refusal as refusal:
            path = f"{self._where} {refusal.path}".rstrip()
            raise Refusal(path, refusal.reason, cause=refusal.cause) from None
        except UnicodeError:
            raise Refusal(self._where, "is not valid UTF-8", undecodable=True) from None
        except UnfitError as error:
            raise error.at(self._where) from None

    def texts(self, texts: list[str]) -> list[str]:
        return list(map(self.text, texts))

    def _jwt(self, data: bytes) -> bytes:
        """Header and payload as JSON at ``header.…`` and ``payload.…``; another signature where they change: the real
        one would prove a guess of what was there."""
        parts = data.split(b".")
        if len(parts) != 3:
            raise Refusal("", "is not a JWT", undecodable=True)
        (header, write_header), (payload, write_payload) = decode("base64", parts[0]), decode("base64", parts[1])
        document = b'{"header":' + header + b',"payload":' + payload + b"}"
        clean = self._json.rewrite(document)
        if clean == document:
            return data
        made = _RAW.decode(clean)
        signed = (
            write_header(bytes(made.get("header", b"{}"))) + b"." + write_payload(bytes(made.get("payload", b"{}")))
        )
        signature = hmac.digest(self._key, signed, "sha256").hex().encode() if parts[2] else b""
        return signed + b"." + signature

    def _query(self, data: bytes) -> bytes:
        """``https://x.y/z?a=1&b=2``: each field at its name, what stands before the ``?`` at ``@url``."""
        head, mark, tail = data.rpartition(b"?")
        out = []
        for pair in tail.split(b"&") if tail else ():
            name, equals, value = pair.partition(b"=")
            plain, _ = decode("url", name)
            inside, encode = decode("url", value)
            clean = self._field(plain.decode(), inside)
            new = self._name(plain.decode(), name) if clean is not None else None
            if clean is not None and new is not None:
                out.append(new + equals + (value if clean == inside else encode(clean)))
        base = self._field(_BASE, head) if head else head
        return (base or b"") + mark + b"&".join(out)

    def _name(self, plain: str, name: bytes) -> bytes | None:
        """A field's name afterwards; None when the field goes with it."""
        found = self._rules.name((plain,))
        if found is None or found[1].effect == "keep":
            return name
        if found[1].effect == "drop":
            return None
        after = found[1].text(plain)
        return name if after == plain else quote_plus(after).encode()

    def _field(self, name: str, value: bytes) -> bytes | None:
        """The value afterwards; None when the field goes."""
        steps = (name,)
        _path, rule = self._rules.rule(self._rules.find(steps, "string"), steps, "string")
        text = value.decode()
        if rule.effect in ("drop", "null"):
            rule.note(text)
            return None if rule.effect == "drop" else b""
        return rule.text(text).encode() if rule.effect == "rewrite" else value
