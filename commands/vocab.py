"""The command vocab."""

from pathlib import Path

import click

from .options import opens_a_head, print_object, show


@click.command()
@opens_a_head
@click.option(
    "--writable",
    is_flag=True,
    help="Decide for every token whether any residual writes it: long the first time.",
)
@click.option(
    "--residuals",
    metavar="FILE",
    help="Say which tokens are ever near the top with the residuals of a .npy or safetensors "
    "file, as lens --save writes them.",
)
@click.option(
    "--output",
    "-o",
    "outputs",
    multiple=True,
    metavar="FILE",
    help="Write the report: .html, .json; or a row for each token: .parquet or .csv. May be given "
    "again.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, floats in full.")
def vocab(
    source: str,
    where: dict[str, str | None],
    writable: bool,
    residuals: str | None,
    outputs: tuple[str, ...],
    as_json: bool,
) -> None:
    """Examine a vocabulary: what its tokens are, which no text encodes to, which look untrained.

    \b
    unembed vocab demo
    unembed vocab demo -o demo.html
    unembed vocab demo-bytes --writable -o tokens.parquet
    """  # noqa: D301 - click's mark for lines that are not wrapped
    from ..geometry.model.residuals import read_residuals
    from ..geometry.open_head import open_head
    from ..geometry.views.bars import Bars
    from ..geometry.views.vocab_file import check_vocab_path, write_vocab
    from ..geometry.views.vocab_table import vocab_table

    for output in outputs:
        check_vocab_path(Path(output))
    with Bars() as bars:
        head = open_head(source, **where, progress=bars)
        held = None
        if residuals is not None:
            held = read_residuals(residuals, width=head.rows.width, tokens=head.rows.count)
        found = head.examine(writable=writable, residuals=held, progress=bars)
        for output in outputs:
            write_vocab(found, Path(output))
    if as_json:
        print_object(found)
        return
    show(vocab_table(found))
    for output in outputs:
        click.echo(f"written: {output}")
