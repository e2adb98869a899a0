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
    where: dict[str, str | None],
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
    is_file = Path(name).suffix in {".toml", ".safetensors"}
    if is_file and options["directions"] is not None:
        raise click.UsageError(f"{name} is a file of directions; leave out --directions")
    from ..geometry.concepts.saved import is_saved
    from ..geometry.open_head import open_head
    from ..geometry.views.bars import Bars
    from ..geometry.views.scores import direction_table

    if save is not None and not is_saved(Path(save)):
        raise click.UsageError(f"{save}: a direction is saved to a file that ends in .safetensors")
    with Bars() as bars:
        head = open_head(source, **where, progress=bars)
        names: tuple[str, ...] = (name,)
        if is_file:
            options["directions"] = name
            names = head.direction_names(**options)
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
