"""The policy: YAML in, a checked and keyed plan out. This is the room's front door.

policy = Policy.load("kpay.yaml")
plan = policy.plan()
for batch in batches:                      # columns topic, partition, offset, key, value, headers
    clean = plan.for_topic("payments.incoming").apply(batch)
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from desensitizers.domains import Domain
from desensitizers.errors import PolicyError
from desensitizers.explaining import Explanation
from desensitizers.keys import Keyring
from desensitizers.parsing import parse_policy
from desensitizers.plan import Plan, check_plan
from desensitizers.spec import PolicySpec
from desensitizers.surrogates.kinds import KINDS
from desensitizers.types import Schemas


class Policy:
    """A loaded policy with its secret. Picklable for worker processes; the secret is in no repr."""

    def __init__(self, spec: PolicySpec, keyring: Keyring) -> None:
        self.spec = spec
        self.keyring = keyring

    @classmethod
    def load(cls, path: str | Path, env: Mapping[str, str] | None = None) -> Policy:
        """Reads, checks and keys a policy; the secret comes from `env` (os.environ when None).

        Raises PolicyError (file, line, suggestion) and SecretError, both with exit code 2.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise PolicyError("there is no such policy file.", file=str(path)) from None
        except (OSError, UnicodeDecodeError) as error:
            raise PolicyError(f"can't be read: {error}.", file=str(path)) from None
        return cls.parse(text, file=str(path), env=env)

    @classmethod
    def parse(cls, text: str, *, file: str = "policy", env: Mapping[str, str] | None = None) -> Policy:
        """As `load`, from text; `file` is what errors call it."""
        spec = parse_policy(text, file)
        keyring = Keyring.from_env(spec.secret_env, os.environ if env is None else env)
        policy = cls(spec, keyring)
        check_plan(policy.plan(), spec)
        return policy

    @property
    def sha256(self) -> str:
        """Of the policy's text, with all that it imports, the tables that its rules read, and the code of others."""
        return self.spec.sha256

    def domains(self) -> dict[str, Domain]:
        """The declared domains, keyed."""
        return {spec.name: Domain(spec, self.keyring) for spec in self.spec.domains}

    def keeping_form(self) -> frozenset[str]:
        """Domains whose surrogates look like originals of the same domain, but for the digits."""
        return frozenset(spec.name for spec in self.spec.domains if KINDS[spec.surrogate].keeps_form)

    def plan(
        self, *, learning: bool = False, schemas: Schemas | None = None, explanation: Explanation | None = None
    ) -> Plan:
        """The compiled policy, with its own memory. A `learning` one changes nothing and only fills `findings`.

        `schemas` read framed payloads (Avro, Protobuf, JSON Schema); without them there is only JSON.
        An `explanation` is told which rule each place meets; what comes of such a plan is never clean.
        """
        return Plan(
            self.spec, self.keyring, self.domains(), learning=learning, schemas=schemas, explanation=explanation
        )

    def __repr__(self) -> str:
        return f"Policy({self.spec.file!r}, secret hidden)"
