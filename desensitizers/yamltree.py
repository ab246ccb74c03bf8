"""YAML with line numbers: every problem in a policy can name its file and line, and no key is silently doubled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

import yaml

from desensitizers.errors import PolicyError, did_you_mean

MOST_CHARACTERS = 1_000_000
"""Of a policy: a hundred times the largest that we know, and a few seconds to read."""


@dataclass(frozen=True, slots=True)
class Tree:
    """One YAML node of a file."""

    node: yaml.Node
    file: str

    @property
    def line(self) -> int:
        """1-based."""
        return int(self.node.start_mark.line) + 1

    def fail(self, message: str) -> NoReturn:
        """Raises PolicyError at this node."""
        raise PolicyError(message, file=self.file, line=self.line)

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.node, yaml.MappingNode)

    @property
    def is_scalar(self) -> bool:
        return isinstance(self.node, yaml.ScalarNode)

    def items(self, what: str) -> list[tuple[str, Tree, Tree]]:
        """(key, key's node, value's node) of a mapping, in the order written; ``<<: *anchor`` is merged in."""
        if not isinstance(self.node, yaml.MappingNode):
            self.fail(f"{what} must be a mapping (name: value).")
        own = {key.value for key, _value in self.node.value}
        seen: dict[str, int] = {}
        out: list[tuple[str, Tree, Tree]] = []
        for key_node, value_node in self.node.value:
            key, value = Tree(key_node, self.file), Tree(value_node, self.file)
            name = key.text(f"a name in {what}")
            if name == "<<":
                out += [item for item in value.items("what << refers to") if item[0] not in own]
                continue
            if name in seen:
                key.fail(f"'{name}' stands twice in {what}, first in line {seen[name]}: remove one.")
            seen[name] = key.line
            out.append((name, key, value))
        return out

    def fields(self, what: str, known: Iterable[str], required: Iterable[str] = ()) -> dict[str, Tree]:
        """A mapping with only known names."""
        known = list(known)
        found: dict[str, Tree] = {}
        for name, key, value in self.items(what):
            if name not in known:
                key.fail(f"unknown name '{name}' in {what}.{did_you_mean(name, known)}")
            found[name] = value
        for name in required:
            if name not in found:
                self.fail(f"{what} needs '{name}'.")
        return found

    def elements(self, what: str) -> list[Tree]:
        if not isinstance(self.node, yaml.SequenceNode):
            self.fail(f"{what} must be a list.")
        return [Tree(node, self.file) for node in self.node.value]

    def text(self, what: str) -> str:
        """A scalar as it is written (``null`` and ``42`` too)."""
        if not isinstance(self.node, yaml.ScalarNode) or not self.node.value:
            self.fail(f"{what} must be a word.")
        return str(self.node.value)

    def scalar(self, what: str) -> str | int | float | bool:
        """A scalar in the type YAML gives it."""
        if not isinstance(self.node, yaml.ScalarNode):
            self.fail(f"{what} must be a single value.")
        value = yaml.SafeLoader("").construct_object(self.node)
        if not isinstance(value, str | int | float | bool):
            self.fail(f"{what} must be a text, a number, true or false.")
        return value

    def choice(self, what: str, choices: Iterable[str]) -> str:
        word = self.text(what)
        choices = list(choices)
        if word not in choices:
            self.fail(f"unknown {what} '{word}'.{did_you_mean(word, choices)}")
        return word


def parse(text: str, file: str) -> Tree:
    """The root of the one document in `text`. Raises PolicyError."""
    if len(text) > MOST_CHARACTERS:
        raise PolicyError(
            f"is longer than {MOST_CHARACTERS:,} characters: use patterns in paths, and dict with a file.", file=file
        )
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except RecursionError:
        raise PolicyError("is nested too deeply; no policy needs that.", file=file) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise PolicyError(f"is not valid YAML: {error.problem}.", file=file, line=line) from None
    except yaml.YAMLError as error:
        raise PolicyError(f"is not valid YAML: {error}.", file=file) from None
    if node is None:
        raise PolicyError("is empty; a policy starts with version: 1", file=file)
    return Tree(node, file)
