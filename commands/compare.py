"""The command compare."""

from pathlib import Path

import click

from .options import opens_a_head, print_object, show


@click.command()
@opens_a_head
@click.argument("other", metavar="OTHER")
@click.option("--other-tensor", metavar="NAME", help="As --tensor, of the other.")
@click.option("--other-tokenizer", metavar="FILE", help="As --tokenizer, of the other.")
@click.option("--other-revision", metavar="NAME", help="As --revision, of the other.")
@click.option(
    "--region",
    metavar="WHAT",
    help="Where to look for what moved most: emoji, words, a script, as in near.  [default: all "
    "tokens]",
)
@click.option("--top", default=10, show_default=True, metavar="K", help="How many tokens.")
@click.option(
    "--space",
    metavar="NAME",
    default="causal",
    show_default=True,
    help="Where nearest tokens are found, as in near.",
)
@click.option(
    "--output",
    "-o",
    "outputs",
    multiple=True,
    metavar="FILE",
    help="Write a row for each token that both have: .parquet or .csv. May be given again.",
)
@click.option(
    "--map",
    "drawn",
    metavar="FILE",
    help="Draw the moves of the tokens that moved most over the map of the region: .png, .svg, "
    ".pdf, .html, .parquet, .csv or .json.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, floats in full.")
def compare(
    source: str,
    where: dict[str, str | None],
    other: str,
    other_tensor: str | None,
    other_tokenizer: str | None,
    other_revision: str | None,
    region: str | None,
    top: int,
    space: str,
    outputs: tuple[str, ...],
    drawn: str | None,
    as_json: bool,
) -> None:
    """Show how alike two heads are, and which tokens and regions have moved most between them.

    The heads may be of any widths and vocabularies: a base model and a tuned one, two sizes, two
    checkpoints.

    \b
    unembed compare demo demo-bytes
    unembed compare base/ tuned/ --region emoji --map emoji.html -o tokens.parquet
    """  # noqa: D301 - click's mark for lines that are not wrapped
    if drawn is not None and region is None:
        raise click.UsageError("--map draws a region: give --region, such as emoji")
    from ..geometry.comparing.drawing import drawn_moves
    from ..geometry.open_head import open_head
    from ..geometry.views.bars import Bars
    from ..geometry.views.compare_file import check_compare_path, write_comparison
    from ..geometry.views.compare_table import compare_table
    from ..geometry.views.map_file import check_map_path, write_map

    for output in outputs:
        check_compare_path(Path(output))
    if drawn is not None:
        check_map_path(Path(drawn))
    with Bars() as bars:
        head = open_head(source, **where, progress=bars)
        second = open_head(
            other,
            tensor=other_tensor,
            tokenizer=other_tokenizer,
            revision=other_revision,
            progress=bars,
        )
        found = head.compare(second, region=region, top=top, space=space, progress=bars)
        if drawn is not None and region is not None:
            write_map(drawn_moves(head, second, found, region, progress=bars), Path(drawn))
        for output in outputs:
            write_comparison(found, Path(output))
    if as_json:
        print_object(found)
        return
    show(compare_table(found, head.vocabulary))
    for path in (*outputs, *([] if drawn is None else [drawn])):
        click.echo(f"written: {path}")
