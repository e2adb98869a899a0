"""The command similarity."""

from typing import Any

import click

from .options import (
    composes,
    console_of,
    expressions_of,
    opens_a_head,
    print_lines,
    print_object,
    show,
)


# Unknown options are kept as arguments, so that an expression may start with a minus.
@click.command(context_settings={"ignore_unknown_options": True})
@opens_a_head
@click.argument("expressions", nargs=-1, metavar="EXPRESSION...")
@composes
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object, floats in full.")
@click.option(
    "--csv", "as_csv", is_flag=True, help="Print the square as CSV with a header, floats in full."
)
def similarity(
    source: str,
    where: dict[str, str | None],
    expressions: tuple[str, ...],
    as_json: bool,
    as_csv: bool,
    **options: Any,
) -> None:
    """Show how alike concepts are, each with each: cosines in a space.

    A single - stands for the lines of stdin.

    \b
    unembed similarity demo sea ocean horse 'king - man + woman'
    unembed similarity demo - --space cosine --csv < words.txt
    """  # noqa: D301 - click's mark for lines that are not wrapped
    if as_json and as_csv:
        raise click.UsageError("--json and --csv cannot both be printed")
    if not expressions:
        raise click.UsageError("give EXPRESSIONs, or - for stdin")
    queries = list(expressions_of(expressions))
    from ..geometry.open_head import open_head
    from ..geometry.views.bars import Bars

    with Bars() as bars:
        head = open_head(source, **where, progress=bars)
        found = head.similarities(queries, progress=bars, **options)
    if as_json:
        print_object(found)
    elif as_csv:
        from ..geometry.views.lines import square_lines

        print_lines(square_lines(found))
    else:
        from ..geometry.views.similarity_table import similarity_table

        show(similarity_table(found, width=console_of().width))
