"""Presidio for real, where it and any spaCy model are installed: ``pip install -e '.[ner]'`` and a model."""

from __future__ import annotations

import socket

import pytest

from desensitizers.detectors import ner
from desensitizers.plugins import PluginError
from tests.desensitizers.helpers import policy, scrub

pytest.importorskip("presidio_analyzer")
MODELS = pytest.importorskip("spacy.util").get_installed_models()
pytestmark = pytest.mark.skipif(not MODELS, reason="no spaCy model is installed")


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLACKBOX_NER_MODEL", MODELS[0])
    monkeypatch.setenv("BLACKBOX_NER_LANGUAGE", MODELS[0][:2])

    def no_network(*_words: object) -> None:
        raise AssertionError("a detector asked the network")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)


def test_it_takes_people_and_addresses_out_of_texts_and_asks_no_network() -> None:
    note = "Please call Anna Schmidt at anna.schmidt@firma.de, she lives in Berlin."
    (clean,) = scrub("value: {note: {rule: scan, detectors: [ner, email]}}", {"note": note})
    assert not any(word in clean["note"] for word in ("Anna", "Schmidt", "firma.de"))
    assert clean["note"].startswith("Please call ")


def test_the_same_name_becomes_the_same() -> None:
    rows = [{"note": "Anna Schmidt was here."}, {"note": "Yesterday I met Anna Schmidt."}]
    first, second = scrub("value: {note: {rule: scan, detectors: [ner]}}", *rows)
    assert first["note"].split()[0] in second["note"]


def test_the_model_is_part_of_what_the_policy_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = "value: {note: {rule: scan, detectors: [ner]}}"
    first = policy(rules)
    (used,) = first.spec.foreign
    assert used.origin.startswith("presidio-analyzer ")
    assert MODELS[0] in used.origin
    monkeypatch.setattr(ner, "using", lambda: "another")
    assert policy(rules).sha256 != first.sha256


def test_a_model_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    ner.analyzer.cache_clear()
    monkeypatch.setenv("BLACKBOX_NER_MODEL", "xx_no_such_model")
    with pytest.raises(PluginError, match="'xx_no_such_model'"):
        ner.analyzer()
    ner.analyzer.cache_clear()
