"""Named entities by Presidio, an extra (``pip install kafka-blackbox[ner]``), with a model that you name.

``BLACKBOX_NER_MODEL`` names an installed spaCy model (``en_core_web_lg``), ``BLACKBOX_NER_LANGUAGE`` its language (en).
A model guesses: what it misses stays in the text. Use it beside the detectors that know, never instead of a path.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from desensitizers.detectors.base import Detector, Span
from desensitizers.plugins import PluginError

_MODEL, _LANGUAGE = "BLACKBOX_NER_MODEL", "BLACKBOX_NER_LANGUAGE"
_SCORE = 0.35


@lru_cache(maxsize=1)
def analyzer() -> tuple[Any, str]:
    """Presidio's analyzer and the language it reads. Raises PluginError with what is missing."""
    model, language = os.environ.get(_MODEL, ""), os.environ.get(_LANGUAGE, "en")
    if not model:
        raise PluginError(f"detector 'ner' needs a model: set {_MODEL} to an installed spaCy model.")
    try:
        from presidio_analyzer import AnalyzerEngine
        from presidio_analyzer.nlp_engine import NlpEngineProvider
    except ImportError:
        raise PluginError("detector 'ner' needs Presidio: pip install 'kafka-blackbox[ner]'") from None
    import spacy.util
    import tldextract.tldextract as suffixes

    # Presidio asks it for the suffixes of hosts; by itself it would fetch their list from the network.
    suffixes.TLD_EXTRACTOR = suffixes.TLDExtract(cache_dir=None, suffix_list_urls=())
    if not spacy.util.is_package(model):
        raise PluginError(f"detector 'ner': the spaCy model '{model}' ({_MODEL}) is not installed.")
    models = [{"lang_code": language, "model_name": model}]
    engine = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": models}).create_engine()
    return AnalyzerEngine(nlp_engine=engine, supported_languages=[language]), language


def using() -> str:
    """The library and the model that it asks, each with its version: another one finds other names."""
    model, language = os.environ.get(_MODEL, ""), os.environ.get(_LANGUAGE, "en")
    return f"{_versioned('presidio-analyzer')}, {_versioned(model)} for '{language}'"


def _versioned(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except (PackageNotFoundError, ValueError):
        return f"{package} of no known version"


def _find(text: str, _strict: bool) -> Iterator[Span]:
    engine, language = analyzer()
    for result in engine.analyze(text, language, score_threshold=_SCORE):
        yield result.start, result.end


DETECTOR = Detector(
    name="ner",
    version=1,
    summary="named entities by Presidio and a model that you name; for free text",
    kind="hex",
    prefilter="",
    finder=_find,
    ready=analyzer,
)
