"""The scripts that texts are written in."""

from collections.abc import Sequence

# In use today: the recommended and the limited-use scripts of Unicode Standard Annex 31.
_SCRIPTS = (
    "Latin Cyrillic Greek Arabic Hebrew Han Hiragana Katakana Hangul Bopomofo Devanagari Bengali "
    "Tamil Telugu Gujarati Gurmukhi Kannada Malayalam Oriya Sinhala Thai Lao Khmer Myanmar Tibetan "
    "Georgian Armenian Ethiopic Thaana Adlam Balinese Bamum Batak Canadian_Aboriginal Chakma Cham "
    "Cherokee Hanifi_Rohingya Javanese Kayah_Li Lepcha Limbu Lisu Mandaic Meetei_Mayek Miao Newa "
    "Nko Nyiakeng_Puachue_Hmong Ol_Chiki Osage Saurashtra Sundanese Syloti_Nagri Syriac Tai_Le "
    "New_Tai_Lue Tai_Tham Tai_Viet Tifinagh Vai Wancho Yi"
)
_SHARED = frozenset({"Common"})
SCRIPTS = (*_SCRIPTS.split(), "Common", "Mixed", "Other")


def scripts_of(texts: Sequence[str | None]) -> tuple[str, ...]:
    """Name the script of each text: the one that its letters are of.

    Parameters
    ----------
    texts : sequence of str or None
        None for what is no text.

    Returns
    -------
    tuple of str
        The name in Unicode; ``Common`` where a text has signs of no script of its own, or is none;
        ``Mixed`` where it has several; ``Other`` where it is no longer in use.

    Examples
    --------
    >>> scripts_of(["sea", " море", "1️⃣", "αz", None])
    ('Latin', 'Cyrillic', 'Common', 'Mixed', 'Common')
    """
    import regex

    chars = "".join(sorted(set().union(*(text for text in texts if text))))
    shared = regex.compile(r"[\p{Script=Common}\p{Script=Inherited}\p{Script=Unknown}]")
    script_of = dict.fromkeys(chars, "Other") | dict.fromkeys(shared.findall(chars), "Common")
    for script in _SCRIPTS.split():
        found = regex.findall(rf"\p{{Script={script}}}", chars)
        script_of.update(dict.fromkeys(found, script))
    return tuple(_script({script_of[char] for char in text or ""}) for text in texts)


def _script(found: set[str]) -> str:
    """Name the script of a text by those of its characters."""
    own = found - _SHARED
    if not own:
        return "Common"
    return own.pop() if len(own) == 1 else "Mixed"
