"""The command serve."""

import webbrowser
from typing import Any

import click

from .options import opens_heads


@click.command()
@opens_heads
@click.option(
    "--host",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen; beyond this machine, the address of the page has a token.",
)
@click.option(
    "--port", metavar="N", default=8765, show_default=True, help="Of the page; 0 for any."
)
@click.option("--no-browser", is_flag=True, help="Open no browser.")
def serve(
    sources: tuple[str, ...], where: dict[str, Any], host: str, port: int, no_browser: bool
) -> None:
    """Explore heads on a page in the browser.

    \b
    unembed serve demo
    unembed serve demo demo-bytes --port 9000
    """  # noqa: D301 - click's mark for lines that are not wrapped
    if len(sources) > 1 and any(where.values()):
        raise click.UsageError("--tensor, --tokenizer and --revision are of one source; name one")
    if len(set(sources)) < len(sources):
        raise click.UsageError("a source is named twice; each is opened once")
    from ..explorer.serving import listen, server_of
    from ..geometry.open_head import open_head
    from ..geometry.views.bars import Bars
    from ..geometry.views.shown import counted

    with listen(host, port) as listening:
        from ..explorer.maps import warm  # needs what serves, which is asked for by now

        heads = {}
        with Bars() as bars:
            for source in sources:
                heads[source] = open_head(source, **where, progress=bars)
                warm(heads[source], progress=bars)
        server = server_of(heads, listening)
        for source, head in heads.items():
            click.echo(f"{source}: {counted(head.rows.count, 'token')}, {head.rows.width} wide")
        click.echo(f"serving {server.address}\nCtrl-C stops it")
        if not no_browser:
            webbrowser.open(server.address)
        server.run()
