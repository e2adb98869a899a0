"""The command lens."""

import json
import re
from pathlib import Path
from typing import Any

import click

from .options import console_of, opens_a_head, show


def _positions(
    ctx: click.Context, param: click.Parameter, given: tuple[str, ...]
) -> list[int] | None:
    """Read whole numbers, or None where one is ``all``; the last position by default."""
    if "all" in given:
        return None
    return [click.INT(one, param, ctx) for one in given] or [-1]


@click.command()
@opens_a_head
@click.argument("prompt", required=False)
@click.option(
    "--residuals",
    metavar="FILE",
    help="Look at the residuals of a .npy or safetensors file, in place of a prompt.",
)
@click.option("--save", metavar="FILE", help="Write the residuals to a .safetensors file.")
@click.option(
    "--generate", metavar="N", default=0, show_default=True, help="Let the model write N tokens."
)
@click.option(
    "--temperature",
    metavar="T",
    default=0.0,
    show_default=True,
    help="Draw what it writes at this temperature; 0 takes the first token.",
)
@click.option("--seed", metavar="N", default=0, show_default=True, help="Of what is drawn.")
@click.option(
    "--repeat",
    metavar="R",
    default=0,
    show_default=True,
    help="Draw R times what it writes, and count.",
)
@click.option("--chat", is_flag=True, help="Put the prompt into the model's chat template.")
@click.option("--start", metavar="TEXT", default="", help="The beginning of the answer.")
@click.option(
    "--position",
    "positions",
    metavar="N",
    multiple=True,
    callback=_positions,
    help="Look at this token of the prompt; negative ones count from the end, and all is every "
    "one.  May be given again.  [default: -1, the last]",
)
@click.option(
    "--top", metavar="K", default=5, show_default=True, help="How many tokens of each layer."
)
@click.option(
    "--track",
    metavar="NAMES",
    help="Follow these tokens: names with commas between them.  [default: those ever first]",
)
@click.option(
    "--concept",
    "concepts",
    metavar="EXPRESSION",
    multiple=True,
    help="Give the cosine of each residual with this concept.  May be given again.",
)
@click.option(
    "--decompose",
    metavar="K",
    default=0,
    show_default=True,
    help="Write each residual as a sum of K rows.",
)
@click.option(
    "--over", metavar="REGION", help="Draw the residuals as paths over the map of this region."
)
@click.option(
    "--space",
    metavar="NAME",
    default="causal",
    show_default=True,
    help="Where concepts are compared, sums are made and maps are drawn, as of near.",
)
@click.option("--no-norm", is_flag=True, help="Leave the final norm out.")
@click.option(
    "-o",
    "--output",
    "outputs",
    metavar="FILE",
    multiple=True,
    help="Write the lens: .png, .svg, .pdf, .html, .parquet or .json.  May be given again.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the lens as a JSON object.")
def lens(
    source: str,
    where: dict[str, str | None],
    prompt: str | None,
    residuals: str | None,
    save: str | None,
    track: str | None,
    positions: list[int] | None,
    repeat: int,
    no_norm: bool,
    outputs: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Show what each layer of a model would write, were it the last.

    \b
    unembed lens demo 'Here is a seahorse emoji:' --generate 3
    unembed lens demo --residuals run.safetensors --track sea,horse
    """  # noqa: D301 - click's mark for lines that are not wrapped
    if (prompt is None) == (residuals is None):
        raise click.UsageError("give a prompt, or --residuals FILE")
    if prompt is None and repeat:
        raise click.UsageError("residuals cannot be repeated; give the prompt")
    read = _unescaped(prompt or "")
    from ..geometry.lens.ask import lens as ask
    from ..geometry.lens.ask import repeats_of, residuals_of
    from ..geometry.model.language_model import Writing
    from ..geometry.model.residuals import check_residuals_path, read_residuals, save_residuals
    from ..geometry.open_head import open_head
    from ..geometry.views.bars import Bars
    from ..geometry.views.lens_file import check_lens_path, write_lens
    from ..geometry.views.lens_table import lens_table

    for output in outputs:
        check_lens_path(Path(output))
    if save is not None:
        check_residuals_path(Path(save))
    writing = Writing(*(options.pop(name) for name in ("generate", "temperature", "seed")))
    run = {name: options.pop(name) for name in ("chat", "start")}
    with Bars() as bars:
        head = open_head(source, **where, progress=bars)
        if residuals is not None:
            held = read_residuals(residuals, width=head.rows.width, tokens=head.rows.count)
        else:
            held = residuals_of(head, read, positions=positions, writing=writing, **run)
        if save is not None:
            save_residuals(held, save)
        found = ask(
            head,
            held,
            track=None if track is None else track.split(","),
            normed=not no_norm,
            progress=bars,
            **options,
        )
        if repeat:
            found = repeats_of(found, head, read, repeat, writing=writing, progress=bars, **run)
    for output in outputs:
        write_lens(found, output)
    if as_json:
        click.echo(json.dumps(found.to_dict(), ensure_ascii=False))
        return
    show(lens_table(found, width=console_of().width, tracked=track is not None))
    for output in outputs:
        click.echo(f"written: {output}")


def _unescaped(text: str) -> str:
    r"""Read \n, \t and \\ in an argument, as a shell passes them on."""
    signs = {"n": "\n", "t": "\t", "\\": "\\"}
    return re.sub(r"\\([nt\\])", lambda found: signs[found[1]], text)
