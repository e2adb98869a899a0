"""Lists that are built in: emoji by name, characters of a script."""

import unicodedata

import emoji
import pytest
from unembed.errors import UsageError
from unembed.geometry.records.lists import built_in_list
from unembed.geometry.records.reading import read_all, read_records
from unembed.geometry.records.record import Record


def test_all_emoji_by_their_english_names() -> None:
    records = list(read_records("emoji:all"))
    assert len(records) == 3963
    fish = next(record for record in records if record.forms == ("🐠",))
    assert fish == Record("tropical fish", "U+1F420", None, ("🐠",), None, is_phrase=True)
    heart = next(record for record in records if record.concept == "red heart")
    assert (heart.forms, heart.id) == (("❤️",), "U+2764 U+FE0F")
    order = [text for text, data in emoji.EMOJI_DATA.items() if data["status"] == 2]
    assert [record.forms[0] for record in records] == order
    assert list(read_records("emoji:all:en")) == records


@pytest.mark.parametrize("language", emoji.LANGUAGES)
def test_all_emoji_in_every_language(language: str) -> None:
    records = list(read_records(f"emoji:all:{language}"))
    assert len(records) == len({record.id for record in records}) == 3963
    for record in records:
        assert record.fault is None
        assert record.is_phrase
        assert record.concept == record.concept.strip() != ""
        assert not set(record.concept) & {":", "_"}
    named = {record.forms[0]: record.concept for record in records}
    fish = {"de": "tropenfisch", "es": "pez tropical", "ja": "熱帯魚", "en": "tropical fish"}
    assert language not in fish or named["🐠"] == fish[language]


def test_an_emoji_without_a_name_has_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    list(read_records("emoji:all:de"))
    for name in ({}, {"de": ":"}):
        nameless = {"status": emoji.STATUS["fully_qualified"], "en": ":tropical_fish:"} | name
        monkeypatch.setattr(emoji, "EMOJI_DATA", {"🐠": nameless})
        assert list(read_records("emoji:all:de")) == [
            Record("🐠", "U+1F420", is_phrase=True, fault="U+1F420 has no name in 'de'")
        ]


def test_the_characters_of_a_script() -> None:
    records = list(read_records("unicode:greek"))
    alpha = Record("greek small letter alpha", "U+03B1", None, ("α",), None, is_phrase=True)
    assert alpha in records
    places = [int(str(record.id)[2:], 16) for record in records]
    assert places == sorted(set(places))
    assert ord("Ω") in places
    assert not {ord("a"), ord("µ"), 0x378} & set(places)  # Latin, common, not assigned
    for spelling in ("Greek", "grek", "GREEK"):
        assert list(read_records(f"unicode:{spelling}")) == records


def test_a_character_whose_name_is_its_number_is_its_own_concept() -> None:
    records = {record.id: record for record in read_records("unicode:han")}
    assert records["U+4E00"] == Record("一", "U+4E00", None, ("一",), None, is_phrase=True)
    assert records["U+2E80"].concept == "cjk radical repeat"
    assert len(records) > 90_000


def test_a_character_without_a_name_has_a_fault() -> None:
    records = list(read_records("unicode:common"))
    version = unicodedata.unidata_version
    fault = f"U+0000 has no name in Unicode {version}"
    assert records[0] == Record("\\x00", "U+0000", is_phrase=True, fault=fault)
    assert records[1].concept == "\x01"
    for record in records:
        char = chr(int(str(record.id)[2:], 16))
        named = unicodedata.name(char, None)
        assert (record.fault is None) == (named is not None)
        assert record.forms == ((char,) if named else ())
    # What is not assigned, and halves of surrogate pairs, are no characters.
    private = list(read_records("unicode:unknown"))
    assert {unicodedata.category(record.concept) for record in private} == {"Co"}


def test_lists_that_there_are_not() -> None:
    for source, message in {
        "emoji:": "unknown list 'emoji:'; the lists are emoji:all, emoji:all:LANG and unicode:SCR",
        "emoji:some": "unknown list 'emoji:some'; the lists are",
        "emoji:all:xx": "unknown language 'xx' of emoji; the languages are en, es, ja, ",
        "emoji:all:": "unknown language '' of emoji",
        "unicode:": "unknown list 'unicode:'; unicode: is followed by a script of Unicode, such as",
        "unicode:nosuch": "unknown list 'unicode:nosuch'",
        "unicode:größe": "unknown list 'unicode:größe'",
        "unicode:greek}": "unknown list 'unicode:greek}'",
    }.items():
        with pytest.raises(UsageError, match=message):
            read_records(source)
    for source in ("emoji", "other:all", "words.txt", "-", "Emoji:all", "c:\\emoji:all"):
        assert built_in_list(source) is None
    with pytest.raises(UsageError, match="other:all: there is no such file"):
        read_records("other:all")


def test_a_built_in_list_takes_no_notice_of_columns_and_format() -> None:
    records = read_all(["emoji:all"], columns={"concept": "Name"}, file_format="csv")
    assert next(records).source is None
    assert next(read_all(["emoji:all", "unicode:greek"])).source == "emoji:all"
