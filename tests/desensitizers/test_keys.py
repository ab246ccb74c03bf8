from __future__ import annotations

import pickle

import pytest

from desensitizers.errors import SecretError
from desensitizers.keys import Keyring

SECRET = b"thirty-two bytes or more, exactly"


def test_every_domain_function_and_version_has_its_own_key() -> None:
    keyring = Keyring(SECRET)
    labels = [("a", "f", 1), ("b", "f", 1), ("a", "g", 1), ("a", "f", 2), ("af", "", 1)]
    assert len({keyring.derive(*label) for label in labels}) == len(labels)
    assert keyring.derive("a", "f", 1) == Keyring(SECRET).derive("a", "f", 1)


def test_a_short_secret_is_refused_with_exit_code_2() -> None:
    with pytest.raises(SecretError, match="31 bytes") as caught:
        Keyring(b"x" * 31)
    assert caught.value.exit_code == 2


def test_a_missing_secret_says_which_variable_to_set() -> None:
    with pytest.raises(SecretError, match="environment variable MY_KEY"):
        Keyring.from_env("MY_KEY", {})


def test_the_secret_is_in_no_repr_and_no_error() -> None:
    keyring = Keyring(SECRET)
    assert "thirty" not in repr(keyring)
    with pytest.raises(SecretError) as caught:
        Keyring.from_env("K", {"K": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_a_keyring_travels_to_worker_processes() -> None:
    assert pickle.loads(pickle.dumps(Keyring(SECRET))).key_id() == Keyring(SECRET).key_id()


def test_the_key_id_tells_secrets_apart() -> None:
    assert Keyring(SECRET).key_id() != Keyring(SECRET + b"!").key_id()
