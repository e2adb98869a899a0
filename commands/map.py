"""The command map."""

import json
from pathlib import Path
from typing import Any

import click

from .options import composes, opens_a_head, show


@click.command("map")
@opens_a_head
@click.option(
    "--region",
    metavar="WHAT",
    multiple=True,
    help="Map these tokens: emoji, words, bytes, a script such as greek, a file of ids or tokens, "
    "or a regular expression. Several are groups.  [default: all tokens]",
)
@click.option("--exclude-region", metavar="WHAT", help="Leave these tokens out.")
@click.option(
    "--around", metavar="EXPRESSION", help="Map only the tokens nearest to this, and mark it."
)
@click.option("--top", default=500, show_default=True, help="How many those are.", metavar="K")
@click.option(
    "--mark", "marks", metavar="EXPRESSION", multiple=True, help="Show where this would be."
)
@click.option(
    "--path",
    "paths",
    metavar="FILE",
    multiple=True,
    help="Draw the residuals of a .npy or safetensors file as a line over the map.",
)
@click.option(
    "--neighbors",
    metavar="K",
    default=15,
    show_default=True,
    help="How many of the nearest hold a token, itself among them.",
)
@click.option(
    "--min-dist",
    metavar="D",
    default=0.05,
    show_default=True,
    help="How near two tokens may come, 0 to 1.",
)
@click.option("--densmap", is_flag=True, help="Keep dense regions dense.")
@click.option("--dimensions", metavar="N", default=2, show_default=True, help="2 or 3.")
@click.option("--supervised", is_flag=True, help="Draw the tokens of each region together.")
@click.option("--seed", metavar="N", default=0, show_default=True, help="Of all that is random.")
@click.option(
    "--table",
    metavar="FILE",
    help="A table of tokens to colour by: CSV, TSV, JSONL or Parquet with a column id, token or "
    "text.",
)
@click.option(
    "--color-by",
    metavar="NAME",
    default="cluster",
    show_default=True,
    help="What colours tell: cluster, kind, script, norm, group, or a column of the table.",
)
@composes
@click.option(
    "--method",
    metavar="NAME",
    help="Pieces and estimator in one: the best of an evaluation, or as in procrustes+csls.",
)
@click.option(
    "--output",
    "-o",
    "outputs",
    metavar="FILE",
    multiple=True,
    help="Write the map: .png, .svg, .pdf, .html, .parquet, .csv or .json. May be given again.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the map as a JSON object.")
def map_(
    source: str,
    where: dict[str, str | None],
    region: tuple[str, ...],
    marks: tuple[str, ...],
    paths: tuple[str, ...],
    table: str | None,
    color_by: str,
    outputs: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Draw a region of the head with UMAP, from exact neighbours.

    \b
    unembed map demo --region emoji --mark 'emoji(seahorse)' -o emoji.html
    unembed map demo --around sea --top 300 -o sea.png
    unembed map demo --region greek --region cyrillic --color-by group -o letters.svg
    """  # noqa: D301 - click's mark for lines that are not wrapped
    from ..geometry.open_head import open_head
    from ..geometry.projection.columns import read_columns
    from ..geometry.views.bars import Bars
    from ..geometry.views.colours import check_colour
    from ..geometry.views.map_file import check_map_path, write_map
    from ..geometry.views.map_table import map_table
    from ..indexes.vectors import read_vectors

    for output in outputs:
        check_map_path(Path(output))
    with Bars() as bars:
        head = open_head(source, **where, progress=bars)
        columns = None if table is None else read_columns(Path(table), head)
        check_colour(color_by, () if columns is None else tuple(columns.values))
        found = head.map(
            region=list(region) or None,
            marks=marks,
            paths={
                Path(path).stem: read_vectors(Path(path), width=head.rows.width) for path in paths
            },
            columns=columns,
            progress=bars,
            **options,
        )
        for place, output in enumerate(outputs):
            bars("writing", place, len(outputs))
            write_map(found, output, color_by=color_by)
    if as_json:
        click.echo(json.dumps(found.to_dict(), ensure_ascii=False))
        return
    show(map_table(found))
    for output in outputs:
        click.echo(f"written: {output}")
