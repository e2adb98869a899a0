"""The command evaluate."""

import json
from pathlib import Path

import click

from .options import opens_a_head, show


@click.command()
@opens_a_head
@click.option(
    "--spaces",
    metavar="NAMES",
    default="causal",
    show_default=True,
    help="The geometries to compare, with commas between them.",
)
@click.option(
    "--methods",
    metavar="NAMES",
    default="plain,procrustes+csls",
    show_default=True,
    help="The methods to compare, with commas between them.",
)
@click.option(
    "--questions",
    metavar="FILE",
    help="Word analogies in the form of questions-words.txt.  [default: gensim's, if installed]",
)
@click.option(
    "--with-model",
    is_flag=True,
    help="Ask the model beside the head too, layer by layer; takes far longer.",
)
@click.option("--figure", metavar="FILE", help="Draw them as .png, .svg or .pdf too.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a space and method.")
def evaluate(
    source: str,
    where: dict[str, str | None],
    spaces: str,
    methods: str,
    questions: str | None,
    with_model: bool,
    figure: str | None,
    as_json: bool,
) -> None:
    """Measure how far answers on this head can be trusted.

    Emoji by their names, whether a missing emoji is noticed, word analogies, words put together
    from their pieces, and the built-in directions; all on what was left out of what was learned.
    What was best of several in a space is kept for --method best.

    \b
    unembed evaluate demo
    unembed evaluate demo --spaces causal,centred --methods plain,csls,procrustes+csls
    """  # noqa: D301 - click's mark for lines that are not wrapped
    from ..geometry.open_head import open_head
    from ..geometry.views.bars import Bars
    from ..geometry.views.figure import check_figure, evaluation_figure
    from ..geometry.views.scores import evaluation_table

    if figure is not None:
        check_figure(Path(figure))
    with Bars() as bars:
        head = open_head(source, **where, progress=bars)
        found = head.evaluate(
            spaces=spaces.split(","),
            methods=methods.split(","),
            questions=questions,
            with_model=with_model,
            progress=bars,
        )
    if as_json:
        for evaluation in found:
            click.echo(json.dumps(evaluation.to_dict(), ensure_ascii=False))
    else:
        show(evaluation_table(found))
    if figure is not None:
        evaluation_figure(found, Path(figure))
