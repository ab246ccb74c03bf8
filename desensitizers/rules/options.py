"""Reads the options of rules from a policy, by their declared kinds; every problem names its line."""

from __future__ import annotations

import csv
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path

from desensitizers import detectors
from desensitizers.errors import PolicyError
from desensitizers.paths import compile_path
from desensitizers.plugins import PluginError
from desensitizers.rules.base import Option, OptionValue
from desensitizers.yamltree import Tree


def read(tree: Tree, name: str, option: Option) -> OptionValue:
    """The value of one option, hashable. Raises PolicyError."""
    if option.kind == "text":
        return tree.choice(name, option.choices) if option.choices else tree.text(name)
    if option.kind == "scalar":
        return tree.scalar(name)
    if option.kind == "detectors":
        return detector_names(tree, name, (*detectors.names(), detectors.LEARNED))
    if option.kind == "numbers":
        return _rising(tree, name)
    if option.kind == "map":
        return tuple((key, value.scalar(name)) for key, _at, value in tree.items(name))
    if option.kind == "file":
        return _pairs(tree, name)
    if option.kind == "path":
        return _path(tree, name)
    if option.kind == "number":
        return _number(tree, name)
    value = tree.scalar(name)
    if option.kind == "flag":
        return value if isinstance(value, bool) else tree.fail(f"'{name}' must be true or false.")
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        tree.fail(f"'{name}' must be a whole number, 0 or more.")
    return value


def detector_names(tree: Tree, name: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """A list of detectors, each of which can be used. Raises PolicyError."""
    names = []
    for item in tree.elements(name):
        names.append(item.choice("detector", known))
        if names[-1] != detectors.LEARNED:
            try:
                detectors.detector(names[-1]).ready()
            except PluginError as error:
                item.fail(str(error))
    return tuple(names)


def _number(tree: Tree, name: str) -> Decimal:
    number = _decimal(tree, name)
    if number < 0:
        tree.fail(f"'{name}' can't be negative.")
    return number


def _decimal(tree: Tree, name: str) -> Decimal:
    try:
        number = Decimal(tree.text(name))
    except InvalidOperation:
        tree.fail(f"'{name}' must be a number.")
    if not number.is_finite():
        tree.fail(f"'{name}' must be a number.")
    return number


def _rising(tree: Tree, name: str) -> tuple[Decimal, ...]:
    numbers = tuple(_decimal(item, name) for item in tree.elements(name))
    if not numbers or any(low >= high for low, high in pairwise(numbers)):
        tree.fail(f"'{name}' must be a list of rising numbers, as in [0, 18, 65].")
    return numbers


def _path(tree: Tree, name: str) -> str:
    text = tree.text(name)
    try:
        compile_path(text)
    except PolicyError as error:
        tree.fail(str(error))
    if any(sign in text for sign in "*{"):
        tree.fail(f"'{name}' must name one field: no *, ** or {{a,b}}.")
    return text


def _pairs(tree: Tree, name: str) -> tuple[tuple[str, str], ...]:
    """The two columns of a CSV file, whose path counts from the policy's directory."""
    path = Path(tree.file).parent / tree.text(name)
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            rows = [row for row in csv.reader(lines) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        tree.fail(f"'{name}': {path} can't be read: {error}.")
    if any(len(row) != 2 for row in rows):
        number = next(number for number, row in enumerate(rows, 1) if len(row) != 2)
        tree.fail(f"'{name}': {path} needs two columns (original, replacement); row {number} has another number.")
    pairs = tuple((row[0], row[1]) for row in rows)
    if len({before for before, _after in pairs}) < len(pairs):
        tree.fail(f"'{name}': {path} has an original twice.")
    return pairs
