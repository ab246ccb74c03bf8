"""A door in front of a broker: passes connections on, and does to them what networks do.

Connections can be reset, closed in one direction, forgotten (what is sent goes nowhere and nobody is told, as behind a
firewall that lost its table), or refused.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

_PIECE = 1 << 16
_RESET = struct.pack("ii", 1, 0)  # linger for no time: what is unsent is thrown away, and the peer gets a reset


@dataclass(eq=False, slots=True)
class _Pair:
    client: socket.socket
    broker: socket.socket
    forgotten: bool = False

    def reset(self) -> None:
        _reset(self.client)
        _reset(self.broker)


class Door:
    """One listening port; use it as a context manager, and say with `leads_to` what is behind it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._target: int | None = None
        self._pairs: set[_Pair] = set()
        self._lock = threading.Lock()
        self._refusing = False
        self.passed = 0
        """Bytes that came from the broker."""

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name=f"door {self.port}", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._refusing = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.reset()

    def leads_to(self, port: int) -> None:
        """The broker's own port on 127.0.0.1."""
        self._target = port

    @property
    def connections(self) -> int:
        """How many are open now."""
        with self._lock:
            return len(self._pairs)

    def reset(self) -> None:
        """Reset every connection."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            pair.reset()

    def close_half(self) -> None:
        """Of every connection, close the direction from the broker to the client."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            with contextlib.suppress(OSError):
                pair.client.shutdown(socket.SHUT_WR)

    def forget(self) -> None:
        """Every connection that is open now stays so, and nothing comes through it any more. New ones pass."""
        with self._lock:
            for pair in self._pairs:
                pair.forgotten = True

    @contextmanager
    def refused(self) -> Iterator[None]:
        """Every connection is reset, and each new one as soon as it comes."""
        self._refusing = True
        self.reset()
        try:
            yield
        finally:
            self._refusing = False

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # the door was closed
            try:
                if self._refusing or self._target is None:
                    raise ConnectionRefusedError
                broker = socket.create_connection(("127.0.0.1", self._target), timeout=5)
                broker.settimeout(None)
                for one in (client, broker):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:
                _reset(client)
                continue
            pair = _Pair(client, broker)
            with self._lock:
                self._pairs.add(pair)
            for source, target in ((client, broker), (broker, client)):
                threading.Thread(target=self._pump, args=(pair, source, target), daemon=True).start()

    def _pump(self, pair: _Pair, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(_PIECE):
                if pair.forgotten:
                    continue
                if source is pair.broker:
                    self.passed += len(piece)
                target.sendall(piece)
        if pair.forgotten and source is pair.broker:
            return  # that the broker hung up is not told either
        with self._lock:
            self._pairs.discard(pair)
        pair.reset()


def _reset(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        one.shutdown(socket.SHUT_RD)  # wakes who waits for it
    one.close()
