"""The emoji in their full form, and what the library says of each."""

from collections.abc import Mapping
from typing import Any


def whole_emoji() -> dict[str, Mapping[str, Any]]:
    """Give every RGI emoji, fully qualified (Unicode Technical Standard 51), as the library orders.

    Returns
    -------
    dict of str to mapping
        The library's own data: ``status``, ``en`` and other names, ``alias``.

    Examples
    --------
    >>> emoji = whole_emoji()
    >>> emoji["🐠"]["en"], "❤" in emoji, "❤️" in emoji
    (':tropical_fish:', False, True)
    """
    import emoji

    whole = emoji.STATUS["fully_qualified"]
    return {text: data for text, data in emoji.EMOJI_DATA.items() if data["status"] == whole}
