"""The command near."""

from pathlib import Path
from typing import Any

import click

from .options import composes, expressions_of, opens_a_head, print_lines, show


# Unknown options are kept as arguments, so that an expression may start with a minus.
@click.command(context_settings={"ignore_unknown_options": True})
@opens_a_head
@click.argument("expressions", nargs=-1, metavar="EXPRESSION...")
@click.option(
    "--vector", metavar="FILE", help="Ask with the residuals of a .npy or safetensors file too."
)
@composes
@click.option(
    "--method",
    metavar="NAME",
    help="Pieces, estimator and score in one: the best of an evaluation, or as in procrustes+csls.",
)
@click.option(
    "--score",
    metavar="NAME",
    help="cosine, dot, csls (a cosine less that of hubs) or cosmul (an analogy that multiplies).  "
    "[default: dot in logit, else cosine]",
)
@click.option(
    "--region",
    metavar="WHAT",
    help="Search only these tokens: emoji, words, bytes, a script such as greek, a file of ids or "
    "tokens, or a regular expression.  [default: all tokens]",
)
@click.option("--exclude-region", metavar="WHAT", help="Leave these tokens out.")
@click.option("--top", default=10, show_default=True, help="How many tokens.", metavar="K")
@click.option(
    "--keep-inputs", is_flag=True, help="Let the expression's own tokens into the answer."
)
@click.option(
    "--residual-norm",
    metavar="N",
    type=float,
    help="The norm of a concept's residual: gives probabilities.  [default: 1, without]",
)
@click.option(
    "--temperature",
    metavar="T",
    type=float,
    default=1.0,
    show_default=True,
    help="Of probabilities.",
)
@click.option(
    "--track", metavar="NAME", multiple=True, help="Give this token's rank and score too."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON object a query, floats in full."
)
@click.option("--csv", "as_csv", is_flag=True, help="Print a CSV row a token, floats in full.")
def near(
    source: str,
    where: dict[str, str | None],
    expressions: tuple[str, ...],
    vector: str | None,
    as_json: bool,
    as_csv: bool,
    **options: Any,
) -> None:
    """Show the tokens that lie closest to a concept, and what the head makes of it.

    Several expressions are answered in one pass over the rows; - stands for the lines of stdin.

    \b
    unembed near demo 'king - man + woman'
    unembed near demo 'sea + horse' --region emoji --track 🐠
    unembed near demo '0.5*mean(cat, dog) + "hot dog"' '-water + sea' --json
    """  # noqa: D301 - click's mark for lines that are not wrapped
    if as_json and as_csv:
        raise click.UsageError("--json and --csv cannot both be printed")
    if not expressions and vector is None:
        raise click.UsageError("give an EXPRESSION, - for stdin, or --vector FILE")
    queries: list[Any] = list(expressions_of(expressions))
    from ..geometry.open_head import open_head
    from ..geometry.views.bars import Bars
    from ..geometry.views.lines import csv_lines, json_lines
    from ..indexes.vectors import read_vectors

    with Bars() as bars:
        head = open_head(source, **where, progress=bars)
        if vector is not None:
            queries += list(read_vectors(Path(vector), width=head.rows.width))
        answers = head.nearest_each(queries, progress=bars, **options)
    if as_json or as_csv:
        print_lines(json_lines(answers) if as_json else csv_lines(answers))
        return
    from ..geometry.views.table import neighbours_table

    for place, answer in enumerate(answers):
        click.echo("\n" * bool(place), nl=False)
        show(neighbours_table(answer, head.vocabulary))
