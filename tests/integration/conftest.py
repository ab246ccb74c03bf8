"""A locked Kafka for the tests that must get in, or must not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration import securing
from tests.integration.securing import SecureKafka


@pytest.fixture(scope="session")
def secure_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """A cluster with TLS, SASL and an authorizer, started by the first test that asks for it."""
    with securing.secure_kafka(tmp_path_factory.mktemp("secure")) as secure:
        yield secure
