"""The command export."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from .options import composes, expressions_of, opens_a_head


@click.command()
@opens_a_head
@click.argument("expressions", nargs=-1, metavar="[EXPRESSION...]")
@click.option(
    "-o",
    "--output",
    "outputs",
    metavar="FILE",
    multiple=True,
    required=True,
    help="Write .npy (with its words in a .txt), .safetensors, .parquet, or word2vec's .txt, .vec "
    "or .bin.",
)
@click.option(
    "--region",
    metavar="WHAT",
    help="Of rows only these: emoji, words, bytes, a script, a file of ids or tokens, or a regular "
    "expression.  [default: all tokens]",
)
@click.option("--exclude-region", metavar="WHAT", help="Leave these tokens out.")
@partial(composes, space=None, unasked="  [default: rows as stored, concepts in causal]")
@click.option("--unit", is_flag=True, help="Make vectors of norm 1.")
@click.option(
    "--residual", is_flag=True, help="Write the residuals of norm 1 that stand for the concepts."
)
def export(
    source: str,
    where: dict[str, str | None],
    expressions: tuple[str, ...],
    outputs: tuple[str, ...],
    **options: Any,
) -> None:
    """Write rows, or the vectors of expressions, to a file for other programs.

    Without expressions these are the rows of a region, as they are stored or as they lie in a
    space; with expressions their concepts, as they are composed in one. A single - stands for the
    lines of stdin; an expression that begins with a minus comes after --.

    \b
    unembed export demo -o demo.npy
    unembed export demo --region words --space causal --unit -o words.parquet
    unembed export demo 'sea + horse' 'king - man' --residual -o two.safetensors
    """  # noqa: D301 - click's mark for lines that are not wrapped
    if len(outputs) > 1:  # -ocean is read as -o cean
        raise click.UsageError(
            "-o is given more than once; one FILE is written, and an expression that begins with a "
            "minus comes after --"
        )
    (output,) = outputs
    queries = list(expressions_of(expressions)) if expressions else None
    from ..geometry.exporting.export import check_export_path
    from ..geometry.open_head import open_head
    from ..geometry.views.bars import Bars

    check_export_path(Path(output))
    with Bars() as bars:
        head = open_head(source, **where, progress=bars)
        written = head.export(output, queries, progress=bars, **options)
    count, width = written.shape
    click.echo(f"{count:,} vectors of {width:,} values")
    for path in written.paths:
        click.echo(f"written: {path}")
