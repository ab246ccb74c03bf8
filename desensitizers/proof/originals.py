"""From what rules removed to what must be searched: distinct originals, needles, and the originals that texts quote.

All of it streams through encrypted spills, bucket by bucket, so that millions of originals need little memory; the
buckets are independent and may be worked on by different processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from desensitizers.learned import Learned, normal, searchable
from desensitizers.proof.needles import needles
from desensitizers.proof.search import BLOCK_BYTES, Haystack
from desensitizers.proof.spill import BUCKETS, Spill, SpillWriter
from desensitizers.sink import PROOF_ONLY

ORIGINALS, DISTINCT, WORDS, NEEDLES = "originals", "distinct", "words", "needles"
_MARK = b"\x00"


def note(writer: SpillWriter, originals: Iterable[tuple[str, str]]) -> None:
    """Spills (domain, text) pairs into `ORIGINALS`."""
    for domain, text in originals:
        data = text.encode("utf-8", "surrogatepass")
        writer.add((b"?" if domain == PROOF_ONLY else domain.encode()) + _MARK + data, by=data)


def distil(spill: Spill, bucket: int) -> int:
    """`ORIGINALS` -> `DISTINCT` (texts) and `WORDS` (needle, domain) of one bucket; how many different texts."""
    texts, words = spill.writer(DISTINCT), spill.writer(WORDS)
    seen: set[bytes] = set()
    for item in sorted(spill.distinct(ORIGINALS, bucket)):
        domain, _, data = item.partition(_MARK)
        if data not in seen:
            seen.add(data)
            texts.add(data)
        needle = normal(data.decode("utf-8", "surrogatepass"))
        if domain != b"?" and searchable(needle):
            words.add(needle + _MARK + domain, by=needle)
    texts.close()
    words.close()
    return len(seen)


def sharpen(spill: Spill, bucket: int, number_from: int) -> int:
    """`DISTINCT` -> `NEEDLES` of one bucket; how many originals can be searched."""
    writer = spill.writer(NEEDLES)
    searched = 0
    for block in spill.blocks(DISTINCT, bucket):
        for data in block:
            forms = list(needles(data.decode("utf-8", "surrogatepass"), number_from))
            writer.extend(forms)
            searched += bool(forms)
    writer.close()
    return searched


def all_blocks(spill: Spill, bag: str) -> Iterator[list[bytes]]:
    """Every item of a bag."""
    for bucket in range(BUCKETS):
        yield from spill.blocks(bag, bucket)


def learned_in(spill: Spill, texts: str) -> Learned:
    """The learned originals that the texts of one bag (single bucket) quote."""
    present: set[bytes] = set()
    for pieces in _gather(spill.blocks(texts, 0)):
        present |= Haystack(pieces).find(
            [item.rpartition(_MARK)[0] for item in block] for block in all_blocks(spill, WORDS)
        )
    found = []
    if present:
        for block in all_blocks(spill, WORDS):
            for item in block:
                needle, _, domain = item.rpartition(_MARK)
                if needle in present:
                    found.append((domain.decode(), needle.decode("utf-8", "surrogatepass")))
    return Learned(found)


def _gather(blocks: Iterable[list[bytes]]) -> Iterator[list[bytes]]:
    """Texts in lists of about a haystack's size."""
    pieces: list[bytes] = []
    size = 0
    for block in blocks:
        pieces += block
        size += sum(map(len, block))
        if size >= BLOCK_BYTES:
            yield pieces
            pieces, size = [], 0
    if pieces:
        yield pieces
