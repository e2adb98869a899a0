"""The commands info and cache: what was found, what is kept."""

import json

import click

from .options import opens_a_head, show


@click.command()
@opens_a_head
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def info(source: str, where: dict[str, str | None], as_json: bool) -> None:
    """Show what was found in a source: the head, its norm, its vocabulary, what is kept of it."""
    from ..geometry.open_head import open_head
    from ..geometry.views.bars import Bars
    from ..geometry.views.table import info_table

    with Bars() as bars:
        found = open_head(source, **where, progress=bars).info()
    if as_json:
        click.echo(json.dumps(found.to_dict(), ensure_ascii=False))
    else:
        show(info_table(found))


@click.command()
@click.option("--clear", is_flag=True, help="Remove what is listed; the demos are kept.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object an entry.")
def cache(clear: bool, as_json: bool) -> None:
    """List what is kept on disk: derived from heads, fetched or converted; or clear it."""
    from ..geometry.heads.kept import clear_held, held
    from ..geometry.views.table import entries_table
    from ..indexes import store

    directory = store.cache_directory()
    if clear:
        entries = (*store.clear(directory), *clear_held(directory))
    else:
        entries = (*store.derived(directory), *held(directory))
    if as_json:
        for entry in entries:
            click.echo(json.dumps(entry.to_dict(), ensure_ascii=False))
        return
    click.echo(f"{'removed from' if clear else 'kept in'} {directory}")
    show(entries_table(entries))
