from __future__ import annotations

import base64
import random
from pathlib import Path

import pytest

from desensitizers.learned import Learned, spelled
from desensitizers.proof import originals, quoted
from desensitizers.proof.originals import ORIGINALS
from desensitizers.proof.spill import BUCKETS, Spill


@pytest.mark.parametrize(("share", "likely", "per_word"), [(1 << 20, 1 << 20, 16), (1 << 13, 0, 16)])
def test_each_bag_of_texts_knows_what_it_quotes_however_the_work_is_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: int, likely: int, per_word: int
) -> None:
    rng = random.Random(7)
    names = ["".join(rng.choices("abcdeé 12", k=rng.randint(3, 15))).strip() for _ in range(300)]
    known = [(rng.choice(("", "name", "id")), name) for name in names for _ in range(2)]
    bags = [[f"{rng.choice(names)} and {rng.choice(names).upper()}, xyz" for _ in range(20)] for _ in range(4)]
    bags[3].append(base64.b64encode(b"call Anna Schmidt, please").decode())
    known.append(("name", "Anna Schmidt"))
    spill = Spill(tmp_path)
    writer = spill.writer(ORIGINALS)
    originals.note(writer, known)
    writer.close()
    for bucket in range(BUCKETS):
        originals.distil(spill, bucket)
    for number, texts in enumerate(bags):
        bag = spill.writer(f"texts-{number}", buckets=1)
        bag.extend(text.encode() for text in texts)
        bag.close()
    monkeypatch.setattr(quoted, "_SHARE_BYTES", share)
    monkeypatch.setattr(quoted, "_MOST_LIKELY_BYTES", likely)
    monkeypatch.setattr(quoted, "_TEXTS_PER_WORD", per_word)
    monkeypatch.setattr(quoted, "_TOGETHER_BYTES", 0)
    for job in quoted.jobs(spill, [(f"texts-{number}", f"quoted-{number}") for number in range(len(bags))]):
        quoted.find(*job)
        quoted.by_bag(*job)
    every = Learned((domain, form.decode()) for domain, text in known for form in spelled(text))
    for number, texts in enumerate(bags):
        mine = quoted.learned(spill, f"quoted-{number}")
        assert [set(mine.find(text)) for text in texts] == [set(every.find(text)) for text in texts]
    assert quoted.learned(spill, "quoted-3").find("Anna Schmidt") == [(0, 12, "name")]
