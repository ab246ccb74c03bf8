from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from desensitizers.policy_schema import policy_schema
from tests.desensitizers.test_policy import GOOD, MAIN, SHARED

VALIDATOR = jsonschema_rs.validator_for(policy_schema())
EXAMPLES = sorted((Path(__file__).parents[2] / "examples/policies").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_ready_policies_are_what_the_schema_says(path: Path) -> None:
    VALIDATOR.validate(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize("text", [GOOD, MAIN, SHARED])
def test_what_the_parser_takes_the_schema_takes(text: str) -> None:
    VALIDATOR.validate(yaml.safe_load(text))


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"defaults": {"unknown_field": "keep"}},
        {"domains": {"a": {"surrogate": "digit"}}},
        {"topics": [{"value": {}}]},
        {"schema_tags": {"PII": "kepp"}},
        {"schema_tags": {"PII": {"rule": "mask", "chars": "x"}}},
        {"schema_tags": {"PII": {"rule": "replace"}}},
        {"topic": []},
    ],
)
def test_what_the_parser_refuses_the_schema_refuses(change: dict[str, Any]) -> None:
    with pytest.raises(jsonschema_rs.ValidationError):
        VALIDATOR.validate({**yaml.safe_load(GOOD), **change})
