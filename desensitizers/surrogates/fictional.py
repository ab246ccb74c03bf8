"""Phone numbers that regulators keep for films and books: no subscriber gets one.

They are few, so surrogates out of them merge; where they must not, +999 has room for everybody.
"""

from __future__ import annotations

BLOCKS: dict[str, tuple[tuple[str, int], ...]] = {
    # calling code: (digits that follow it, how many more digits are free), as the regulators publish them
    "1": (("20255501", 2), ("21255501", 2), ("31255501", 2), ("41555501", 2), ("61355501", 2)),  # NANPA, CNAC
    "33": (
        ("1990", 5), ("26191", 4), ("35301", 4), ("46571", 4), ("53649", 4), ("63998", 4),
    ),  # ARCEP
    "44": (("7700900", 3), ("2079460", 3), ("1614960", 3), ("1214960", 3), ("3069990", 3)),  # Ofcom
    "46": (("3139006", 2), ("4062804", 2), ("8465004", 2), ("980319200", 0), ("70174060", 1)),  # PTS
    "49": (("3023125", 3), ("6990009", 3), ("4066969", 3), ("2214710", 3), ("8999998", 3)),  # Bundesnetzagentur
    "61": (("255501", 4), ("355501", 4), ("755501", 4), ("855501", 4), ("49157000", 1)),  # ACMA
    "353": (("20915", 4), ("20913", 4)),  # ComReg
}  # fmt: skip


def is_fictional(number: str) -> bool:
    """Whether an international number (digits only) is kept for fiction."""
    if number.startswith("1") and len(number) == 11:
        return number[4:9] == "55501"
    for code, blocks in BLOCKS.items():
        if number.startswith(code):
            rest = number[len(code) :]
            if any(rest.startswith(block) and len(rest) == len(block) + free for block, free in blocks):
                return True
    return False


def number_for(code: str, bits: int) -> str | None:
    """One of a country's numbers, chosen by the bits; None for a country that keeps none."""
    blocks = BLOCKS.get(code)
    if blocks is None:
        return None
    block, free = blocks[bits % len(blocks)]
    return f"+{code}{block}" + (str(bits // len(blocks) % 10**free).zfill(free) if free else "")
