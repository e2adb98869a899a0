"""The command explain."""

from typing import Any

import click

from .options import composes, opens_a_head, print_object, show


# Unknown options are kept as arguments, so that an expression may start with a minus.
@click.command(context_settings={"ignore_unknown_options": True})
@opens_a_head
@click.argument("expression", metavar="TOKEN|EXPRESSION")
@composes
@click.option("--parts", default=6, show_default=True, metavar="N", help="Of the sum, at most.")
@click.option(
    "--from",
    "among",
    default="words",
    show_default=True,
    metavar="WHAT",
    help="What the sum is made of, beside directions and regions: words, all, or a region as in "
    "near.",
)
@click.option(
    "--by",
    "method",
    default="omp",
    show_default=True,
    metavar="NAME",
    help="omp, orthogonal matching pursuit, or lasso.",
)
@click.option("--signed", is_flag=True, help="Let weights be below 0.")
@click.option("--top", default=5, show_default=True, metavar="K", help="How many neighbours.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, floats in full.")
def explain(
    source: str,
    where: dict[str, str | None],
    expression: str,
    among: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Show what a token's row, or a concept, is a sum of, and what is known of the token.

    A token is named by what it writes, or by its id, as in '#1234'.

    \b
    unembed explain demo 🐠
    unembed explain demo queen --from all --by lasso
    unembed explain demo-bytes '#36683'
    """  # noqa: D301 - click's mark for lines that are not wrapped
    if expression.startswith("--"):
        raise click.NoSuchOption(expression)
    from ..geometry.open_head import open_head
    from ..geometry.views.bars import Bars
    from ..geometry.views.explain_table import explain_table

    with Bars() as bars:
        head = open_head(source, **where, progress=bars)
        found = head.explain(
            expression, among=None if among == "all" else among, progress=bars, **options
        )
    if as_json:
        print_object(found)
    else:
        show(explain_table(found, head.vocabulary))
