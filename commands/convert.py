"""The command convert."""

from pathlib import Path

import click


@click.command()
@click.argument("file")
@click.argument("directory")
def convert(file: str, directory: str) -> None:
    """Make a checkpoint of the head of a GGUF file, or of word vectors.

    FILE is a .gguf; word vectors of GloVe or word2vec (.txt, .vec, .bin); or an array of rows
    (.npy) with its words in a .txt of the same name, one a line. Each of them is a SOURCE too.

    \b
    unembed convert model.gguf model
    unembed near model 'sea + horse'
    """  # noqa: D301 - click's mark for lines that are not wrapped
    from ..geometry.formats.converting import convert as make
    from ..geometry.views.bars import Bars

    with Bars() as bars:
        make(Path(file), Path(directory), progress=bars)
    click.echo(f"written: {directory}")
