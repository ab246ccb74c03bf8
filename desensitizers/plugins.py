"""Rules and detectors that other packages bring, through the entry-point groups named here.

A plug-in is found when a name is not ours, and imported when a policy uses it. It can't take one of our names.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points

from desensitizers.errors import FOREIGN, DesensitizerError, spare_interrupt

RULES = "blackbox.rules"
DETECTORS = "blackbox.detectors"
BUILT_IN = "built in"


class PluginError(DesensitizerError):
    """An installed plug-in that can't be used."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Plugin:
    """An entry point, and the package that brought it."""

    name: str
    package: str
    entry: EntryPoint

    def load(self, wanted: type) -> object:
        """The object it names, which must be a `wanted` of the same name. Raises PluginError."""
        where = f"plug-in '{self.name}' of {self.package}"
        try:
            found = self.entry.load()
        except FOREIGN as error:  # whatever it raises, it can't be used
            spare_interrupt(error)
            raise PluginError(f"{where} can't be loaded ({type(error).__name__}: {error}).") from None
        if not isinstance(found, wanted) or getattr(found, "name", None) != self.name:
            raise PluginError(f"{where} is not a {wanted.__name__} named '{self.name}': '{self.entry.value}'.")
        return found


@lru_cache(maxsize=8)
def installed(group: str) -> dict[str, Plugin]:
    """The plug-ins of a group by name. Raises PluginError when two packages bring the same name."""
    found: dict[str, Plugin] = {}
    for entry in entry_points(group=group):
        package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "unknown package"
        other = found.get(entry.name)
        if other is not None and other.package != package:
            raise PluginError(f"plug-in '{entry.name}' comes from {other.package} and from {package}: remove one.")
        found[entry.name] = Plugin(entry.name, package, entry)
    return found
