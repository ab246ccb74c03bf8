"""What a player sends next, one piece ahead of it: made ready in a pause, not when it is due."""

from __future__ import annotations

from recorder.errors import BlackboxError
from recorder.replaying.conduct import Source
from recorder.replaying.timeline import Piece


class Supply:
    """Holds up to one piece of a source. An error in reading waits until all before it was handed out."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._following: Piece | None = None
        self._broken: BlackboxError | None = None
        self._dry = False

    def prepare(self) -> bool:
        """Take the next piece off the source if it is there; False when there was nothing to do."""
        if self._following is not None or self._broken is not None:
            return False
        try:
            self._following = self._source.take()
        except BlackboxError as error:
            self._broken = error
        self._dry = self._following is None and self._source.finished
        return self._following is not None

    def next(self) -> Piece | None:
        """The next piece, which may be without records; None: not read yet, or `finished`. Raises what reading did."""
        self.prepare()
        piece, self._following = self._following, None
        if piece is None and self._broken is not None:
            raise self._broken
        return piece

    def look(self) -> Piece | None:
        """The next piece, which stays; None and errors as for `next`."""
        self._following = self.next()
        return self._following

    @property
    def ready(self) -> Piece | None:
        """The next piece, if it was made ready."""
        return self._following

    @property
    def more(self) -> bool:
        """A piece is ready, or may come."""
        return self._following is not None or not (self._dry or self._broken)

    @property
    def finished(self) -> bool:
        """No piece will come any more; ask only when `next` answered None."""
        return self._source.finished

    def seek(self, to_ms: int, lap: int) -> None:
        """Go on with the first record that is not before that time, in that pass."""
        self._following, self._dry = None, False
        self._source.seek(to_ms, lap)
