"""Locks for a local Kafka: listeners with TLS, mutual TLS and SASL, and an authorizer that lets nobody in unasked.

They stand beside the plain listener, whose anonymous visitors stay super users: tests set up topics and rights there,
and meet the locks where a client of production would.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PROTOCOLS = ("SASL_SSL", "SSL")
"""The listeners besides the plain one: SASL over TLS, and mutual TLS."""
_MODULE = "org.apache.kafka.common.security"
_SCRAM = "SCRAM-SHA-512"


@dataclass(frozen=True)
class Security:
    """Who may knock at a local Kafka, and with what. Everybody is known by one name, however they log in.

    Users log in with PLAIN, SCRAM-SHA-512 or an unsecured OAUTHBEARER token at the listener SASL_SSL, or with a
    certificate of `authority` (its common name is the user's) at the listener SSL. Without ACLs they may do nothing.
    """

    certificate: Path
    """PEM: the broker's private key and certificate (for 127.0.0.1)."""
    authority: Path
    """PEM: the certificates that vouch for the broker and for its clients."""
    users: Mapping[str, str] = field(repr=False)
    """Passwords by user name."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Further settings of the broker."""

    def server_settings(self, ports: Mapping[str, int]) -> dict[str, str]:
        """Settings of a broker that listens at `ports`, by protocol; its plain listeners are not among them."""
        known = " ".join(f'user_{name}="{password}"' for name, password in self.users.items())
        sasl = "listener.name.sasl_ssl"
        return {
            **{f"listener.name.{name.lower()}.{key}": value for name in ports for key, value in self._tls().items()},
            "listener.name.ssl.ssl.client.auth": "required",
            "ssl.principal.mapping.rules": "RULE:^.*CN=([^,]+).*$/$1/,DEFAULT",
            f"{sasl}.sasl.enabled.mechanisms": f"PLAIN,{_SCRAM},OAUTHBEARER",
            f"{sasl}.plain.sasl.jaas.config": f"{_MODULE}.plain.PlainLoginModule required {known};",
            f"{sasl}.{_SCRAM.lower()}.sasl.jaas.config": f"{_MODULE}.scram.ScramLoginModule required;",
            f"{sasl}.oauthbearer.sasl.jaas.config": f"{_MODULE}.oauthbearer.OAuthBearerLoginModule required "
            'unsecuredLoginStringClaim_sub="broker";',
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            **self.settings,
        }

    def format_options(self) -> list[str]:
        """What the storage tool must be told: SCRAM's users are records of the cluster, not settings of a broker."""
        return [
            word
            for name, password in self.users.items()
            for word in ("--add-scram", f"{_SCRAM}=[name={name},password={password}]")
        ]

    def _tls(self) -> dict[str, str]:
        return {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.certificate),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority),
        }
