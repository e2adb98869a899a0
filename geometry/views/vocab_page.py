"""The health of a vocabulary as one page of HTML that needs nothing but itself."""

from ..examining.health import Health
from .html import data_of, filled, framed
from .page_parts import FOOTER, harmless, table_tool
from .vocab_parts import (
    alike_of,
    asked_of,
    cards_of,
    coverage_of,
    fragments_of,
    kinds_of,
    lede_of,
    scripts_of,
    untrained_of,
)
from .vocab_rows import block_rows, fragment_rows, odd_tokens

_SORTED = "the buttons at the heads of columns sort them"


def vocab_page(found: Health) -> bytes:
    """Make a page on which the health of a vocabulary is read, searched, filtered and sorted.

    It asks nothing of a network, and a policy lets no script run but its own. Tokens are written
    so that they harm nothing: controls and marks of direction as escapes, and as text wherever they
    stand. The same report gives the same bytes.

    Parameters
    ----------
    found : Health
        What is shown. Of the odd tokens and of the fragments the first 20,000 are held, and the
        page says so.

    Returns
    -------
    bytes
        The page, in UTF-8.

    Examples
    --------
    >>> import unembed
    >>> page = vocab_page(unembed.open_head("demo-bytes").examine())
    >>> page[:15], page.count(b"</script>")
    (b'<!doctype html>', 2)
    """
    page, values = framed(
        "vocab.html", styles=("page.css", "vocab.css"), scripts=("dom.js", "table.js", "vocab.js")
    )
    values |= {
        "footer": FOOTER,
        "title": harmless(f"The vocabulary of {found.source}"),
        "lede": lede_of(found),
        "kinds": kinds_of(found.kinds()),
        "cards": cards_of(found),
        "scripts": scripts_of(found.scripts()),
        "coverage": coverage_of(found),
        "untrained": untrained_of(found),
        "alike": alike_of(found),
        "asked": asked_of(found),
        "odd": table_tool(
            at="odd-",
            kind="odd",
            sought="text, token, #id, script",
            chips="Oddities shown",
            caption=f"Odd tokens; {_SORTED}",
            choice="kind",
        ),
        "blocks": table_tool(
            at="blocks-",
            kind="blocks",
            sought="block",
            chips="Blocks shown",
            caption=f"Blocks of Unicode; {_SORTED}",
        ),
        "fragments": fragments_of(
            found,
            table_tool(
                at="fragments-",
                kind="fragments",
                sought="token, #id, character",
                chips="Fragments shown",
                caption=f"Tokens that are no whole text; {_SORTED}",
            ),
        ),
        "data": data_of(
            {
                "odd": odd_tokens(found),
                "blocks": block_rows(found),
                "fragments": fragment_rows(found),
            }
        ).decode("ascii"),
    }
    return filled(page, values)
