"""The command direction."""

import json
from pathlib import Path
from typing import Any

import click

from .options import composes, opens_a_head, show


@click.command()
@opens_a_head
@click.argument("name", metavar="NAME|FILE")
@composes
@click.option("--save", metavar="FILE", help="Write what was learned to a .safetensors file.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a direction.")
def direction(
    source: str,
    tensor: str | None,
    tokenizer: str | None,
    name: str,
    save: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Judge a direction: each of its pairs left out in turn, beside the same words at random.

    NAME is a built-in direction (emoji, plural, past, capital, french, …), FILE one or several of
    your own in TOML, or one that was saved.

    \b
    unembed direction demo plural
    unembed direction demo my.toml --save colour.safetensors
    """  # noqa: D301 - click's mark for lines that are not wrapped
    from ..geometry.head import open_head
    from ..geometry.views.bars import Bars
    from ..geometry.views.scores import direction_table

    with Bars() as bars:
        head = open_head(source, tensor=tensor, tokenizer=tokenizer, progress=bars)
        if Path(name).suffix in {".toml", ".safetensors"}:
            options["directions"] = name
            names = head.direction_names(**options)
        else:
            names = (name,)
        if save is not None and len(names) > 1:
            raise click.UsageError(f"{name} has {len(names)} directions; --save writes one")
        scores = [head.direction(each, **options, progress=bars) for each in names]
        if save is not None:
            head.save_direction(names[0], save, **options)
    for place, score in enumerate(scores):
        if as_json:
            click.echo(json.dumps(score.to_dict(), ensure_ascii=False))
            continue
        click.echo("\n" * bool(place), nl=False)
        show(direction_table(score))
