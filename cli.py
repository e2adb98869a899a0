"""The command line: parse, call, print."""

import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TYPE_CHECKING

import click

from . import __version__
from .errors import UnembedError, UsageError

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


@click.group(context_settings={"help_option_names": ["--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="unembed", message="%(prog)s %(version)s")
def unembed() -> None:
    """Explore the geometry of a language model's last matrix, without running the model.

    SOURCE is a checkpoint directory with config.json, tokenizer.json and model.safetensors, or a
    demo: demo (Gemma 3 270M) or demo-bytes (the decoder of Whisper base).
    """


# Unknown options are kept as arguments, so that an expression may start with a minus.
@unembed.command(context_settings={"ignore_unknown_options": True})
@click.argument("source")
@click.argument("expression")
@click.option(
    "--space",
    metavar="NAME",
    default="cosine",
    show_default=True,
    help="The geometry: cosine or logit.",
)
@click.option(
    "--region", metavar="NAME", help="Search only these tokens: emoji.  [default: all tokens]"
)
@click.option("--top", default=10, show_default=True, help="How many tokens.", metavar="K")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, floats in full.")
def near(
    source: str, expression: str, space: str, region: str | None, top: int, as_json: bool
) -> None:
    """Show the tokens that lie closest to a sum of words and emoji.

    \b
    unembed near demo 'king - man + woman'
    unembed near demo 'sea + horse' --region emoji
    """  # noqa: D301 - click's mark for lines that are not wrapped
    from .geometry.heads.head import open_head
    from .geometry.neighbours import nearest

    with _Bars() as bars:
        head = open_head(source, progress=bars)
    answer = nearest(head, expression, space=space, region=region, top=top)
    if as_json:
        click.echo(json.dumps(answer.to_dict(), ensure_ascii=False))
        return
    from rich.console import Console

    from .geometry.views.table import neighbours_table

    Console(highlight=False).print(neighbours_table(answer))


class _Bars:
    """Progress bars on stderr, drawn once there is something to report."""

    def __init__(self) -> None:
        self._bars: RichProgress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "_Bars":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, step: str, done: int, total: int) -> None:
        """Show that `done` of `total` of a step is done."""
        if self._bars is None:
            from rich.console import Console
            from rich.progress import Progress

            self._bars = Progress(console=Console(stderr=True))
            self._bars.start()
        if step not in self._tasks:
            self._tasks[step] = self._bars.add_task(step, total=total)
        self._bars.update(self._tasks[step], completed=done)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0, 1 for a failure, 2 for a wrong call."""
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    """Run the command line; give the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a token is never beyond the terminal
    try:
        with _reports_to_stderr():
            unembed.main(arguments, prog_name="unembed", standalone_mode=False)
    except UnembedError as error:
        _complain(str(error))
        return 2 if isinstance(error, UsageError) else 1
    except OSError as error:  # stdout is full or gone: what we read is ours to report
        _complain(str(error))
        return 1
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _INTERRUPTED
    return 0


def _complain(message: str) -> None:
    """Print an error on stderr; what it quotes of a file or an expression can do no harm."""
    from .geometry.heads.vocabulary import display

    lines = [display(line) for line in message.split("\n")]
    click.echo("\n".join([f"unembed: {lines[0]}", *lines[1:]]), err=True)


@contextmanager
def _reports_to_stderr() -> Iterator[None]:
    """Print the library's warnings on stderr, a line each."""
    log = logging.getLogger("unembed")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("unembed: %(message)s"))
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
