"""What kind of thing a token is, and what it lacks, against definitions made otherwise."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unembed.geometry.tokens.kinds import KINDS, MOST_LACKED, NEVER, kind_of, lacks_of

# Bytes on both sides of every border in the table of well-formed UTF-8 (Unicode, table 3-7).
BORDERS = bytes.fromhex("41 7f 80 8f 90 9f a0 bf c0 c1 c2 df e0 e1 ec ed ee ef f0 f1 f3 f4 f5 ff")


def characters() -> list[bytes]:
    """Every character that is written in border bytes alone."""
    found = []
    for length in range(1, 5):
        for values in product(BORDERS, repeat=length):
            try:
                text = bytes(values).decode("utf-8")
            except UnicodeDecodeError:
                continue
            if len(text) == 1:
                found.append(bytes(values))
    return found


def test_what_is_lacked_is_the_least_that_any_text_adds() -> None:
    """Cut every short piece out of texts: the fewest bytes that were cut away are what it lacks."""
    whole = characters()
    least: dict[bytes, int] = {}

    def cut(piece: bytes, cost: int) -> None:
        if 0 < len(piece) <= 3:
            least[piece] = min(cost, least.get(piece, 9))

    for char in whole:
        for start in range(len(char)):
            for end in range(start + 1, len(char) + 1):
                cut(char[start:end], len(char) - (end - start))
    ends: dict[bytes, int] = {}
    begins: dict[bytes, int] = {}
    for char in whole:  # the cheapest character that a piece ends, or begins
        for place in range(len(char)):
            ends[char[place:]] = min(place, ends.get(char[place:], 9))
            begin, lost = char[: place + 1], len(char) - place - 1
            begins[begin] = min(lost, begins.get(begin, 9))
    for (end, lost), (begin, also) in product(ends.items(), begins.items()):
        if len(end + begin) > 3:
            continue
        cut(end + begin, lost + also)
        for middle in b"\x41\x7f":
            cut(end + bytes([middle]) + begin, lost + also)
    assert len(least) > 2000
    for length in (1, 2, 3):
        for values in product(BORDERS, repeat=length):
            assert lacks_of(bytes(values)) == least.get(bytes(values), NEVER), bytes(values)


@given(st.text(max_size=4), st.data())
def test_every_piece_of_a_text_can_be_made_whole(text: str, data: st.DataObject) -> None:
    written = text.encode()
    start = data.draw(st.integers(0, len(written)))
    end = data.draw(st.integers(start, len(written)))
    lacks = lacks_of(written[start:end])
    assert 0 <= lacks <= min(MOST_LACKED, len(written) - (end - start))


@given(st.binary(max_size=8))
def test_only_whole_text_lacks_nothing(written: bytes) -> None:
    try:
        written.decode("utf-8")
        whole = True
    except UnicodeDecodeError:
        whole = False
    assert (lacks_of(written) == 0) == whole


def test_no_character_has_four_continuation_bytes() -> None:
    assert [lacks_of(b"\x80" * count) for count in range(6)] == [0, 1, 1, 1, NEVER, NEVER]
    assert lacks_of(b"\x80\x80\x80 sea \xf0") == MOST_LACKED
    assert lacks_of(b"a\x80\x80") == NEVER


def kind(text: str | bytes, string: str | None = None, **how: bool) -> str:
    written = text if isinstance(text, bytes) else text.encode()
    options = {"special": False, "byte_fallback": False, "continues": False, **how}
    spelled = string if string is not None else written.decode(errors="replace")
    return KINDS[kind_of(spelled, written, **options)]


@pytest.mark.parametrize(
    ("wanted", "texts"),
    [
        (
            "whole-word",
            (
                " sea¦ Sea¦ a¦ naïve¦ e\u0301te¦ l'eau¦ don’t¦ well-known¦ море¦ שָׁלוֹם¦ हिन्दी"
                "¦ می\u200cروم¦ می\u200c¦ 東京¦ o'c-d¦ 한국어"
            ),
        ),
        ("continuation", "sea¦ing¦l'eau¦é¦\u0301¦ा¦한¦море¦ß¦ﬁ¦Ĳ¦ˊ¦ʼn¦reserved¦\u200cها¦क्\u200d"),
        (
            "text",
            (
                "¦ ¦  sea¦ sea ¦sea ¦sea horse¦ sea horse¦7¦ 7¦sea7¦ 'sea¦sea'¦a--b¦-¦'s¦ 's¦🐴¦ 🐴"
                "¦❤️¦\ufe0f¦海¦海馬¦ラーメン¦ー¦こん¦ไทย¦ລາວ¦ខ្មែរ¦မြန်မာ¦བོད¦a海¦ \u0301¦\u200c¦\n¦\t"
                "¦\x1b[31m¦\u202e¦_a¦<b>¦</unused1>¦<unused>¦unused12¦[12]¦\xa0sea"
            ),
        ),
        (
            "unused",
            (
                "<unused0>¦<unused6241>¦[unused12]¦<|reserved_special_token_3|>¦<reserved_106>"
                "¦<|placeholder1|>¦<|reserved_200012|>¦▁<unused3>¦<UNUSED_7>¦<｜place▁holder▁no▁0｜>"
            ),
        ),
    ],
)
def test_each_text_has_its_kind(wanted: str, texts: str) -> None:
    for text in texts.split("¦"):
        assert kind(text) == wanted, text


def test_the_first_kind_that_fits_counts() -> None:
    assert kind("<unused3>", "<unused3>", special=True) == "unused"
    assert kind("A", "<0x41>", special=True, byte_fallback=True) == "special"
    assert kind("A", "<0x41>", byte_fallback=True) == "byte"
    assert kind(b"\xeb") == "byte"
    assert kind(b"\x7f") == "text"
    assert kind(b"\xeb\x85") == "fragment"
    assert kind(b" \xeb") == "fragment"
    assert kind("7", "##7", continues=True) == "continuation"
    assert KINDS[-1] == "padding"
    assert len(set(KINDS)) == len(KINDS) == 8
