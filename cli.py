"""The command line: parse, call, print."""

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import __version__
from .errors import UnembedError, UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
_STDIN_LIMIT = 64 << 20  # characters
_MOMENT = 0.5  # seconds


@click.group(context_settings={"help_option_names": ["--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="unembed", message="%(prog)s %(version)s")
def unembed() -> None:
    """Explore the geometry of a language model's last matrix, without running the model.

    SOURCE is a checkpoint directory with config.json, tokenizer.json and its weights in
    safetensors; a .safetensors file; or a demo: demo (Gemma 3 270M) or demo-bytes (the decoder of
    Whisper base).
    """


def _opens_a_head(command: Callable[..., None]) -> Callable[..., None]:
    """Add what every command takes that opens a head."""
    options = (
        click.argument("source"),
        click.option("--tensor", metavar="NAME", help="The matrix, where two could be the head."),
        click.option(
            "--tokenizer", metavar="FILE", help="A tokenizer.json that is not beside the weights."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


# Unknown options are kept as arguments, so that an expression may start with a minus.
@unembed.command(context_settings={"ignore_unknown_options": True})
@_opens_a_head
@click.argument("expressions", nargs=-1, metavar="EXPRESSION...")
@click.option(
    "--vector", metavar="FILE", help="Ask with the residuals of a .npy or safetensors file too."
)
@click.option(
    "--space",
    metavar="NAME",
    default="causal",
    show_default=True,
    help="The geometry: causal, centred, cosine or logit.",
)
@click.option(
    "--score", metavar="NAME", help="cosine or dot.  [default: dot in logit, else cosine]"
)
@click.option(
    "--region",
    metavar="WHAT",
    help="Search only these tokens: emoji, words, bytes, a script such as greek, a file of ids or "
    "tokens, or a regular expression.  [default: all tokens]",
)
@click.option("--exclude-region", metavar="WHAT", help="Leave these tokens out.")
@click.option("--top", default=10, show_default=True, help="How many tokens.", metavar="K")
@click.option(
    "--keep-inputs", is_flag=True, help="Let the expression's own tokens into the answer."
)
@click.option(
    "--pieces",
    metavar="HOW",
    default="mean",
    show_default=True,
    help="What a name of several tokens is: their mean or sum, the first or the last.",
)
@click.option("--fold-norm", is_flag=True, help="Multiply the final norm's gain into the rows.")
@click.option(
    "--residual-norm",
    metavar="N",
    type=float,
    help="The norm of a concept's residual: gives probabilities.  [default: 1, without]",
)
@click.option(
    "--temperature",
    metavar="T",
    type=float,
    default=1.0,
    show_default=True,
    help="Of probabilities.",
)
@click.option(
    "--track", metavar="NAME", multiple=True, help="Give this token's rank and score too."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON object a query, floats in full."
)
@click.option("--csv", "as_csv", is_flag=True, help="Print a CSV row a token, floats in full.")
def near(
    source: str,
    tensor: str | None,
    tokenizer: str | None,
    expressions: tuple[str, ...],
    vector: str | None,
    as_json: bool,
    as_csv: bool,
    **options: Any,
) -> None:
    """Show the tokens that lie closest to a concept, and what the head makes of it.

    Several expressions are answered in one pass over the rows; - stands for the lines of stdin.

    \b
    unembed near demo 'king - man + woman'
    unembed near demo 'sea + horse' --region emoji --track 🐠
    unembed near demo '0.5*mean(cat, dog) + "hot dog"' '-water + sea' --json
    """  # noqa: D301 - click's mark for lines that are not wrapped
    if as_json and as_csv:
        raise click.UsageError("--json and --csv cannot both be printed")
    if not expressions and vector is None:
        raise click.UsageError("give an EXPRESSION, - for stdin, or --vector FILE")
    queries: list[Any] = list(_expressions(expressions))
    from .geometry.head import open_head
    from .geometry.views.lines import csv_lines, json_lines
    from .indexes.vectors import read_vectors

    with _Bars() as bars:
        head = open_head(source, tensor=tensor, tokenizer=tokenizer, progress=bars)
        if vector is not None:
            queries += list(read_vectors(Path(vector), width=head.rows.width))
        answers = head.nearest_each(queries, progress=bars, **options)
    if as_json or as_csv:
        from .geometry.tokens.vocabulary import display

        for line in json_lines(answers) if as_json else csv_lines(answers):
            # A pipe gets every byte, which click would not give it; a terminal no escapes.
            click.echo(display(line) if sys.stdout.isatty() else line, color=True)
        return
    from .geometry.views.table import neighbours_table

    for place, answer in enumerate(answers):
        click.echo("\n" * bool(place), nl=False)
        _show(neighbours_table(answer, head.vocabulary))


@unembed.command()
@_opens_a_head
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def info(source: str, tensor: str | None, tokenizer: str | None, as_json: bool) -> None:
    """Show what was found in a source: the head, its norm, its vocabulary, what is kept of it."""
    from .geometry.head import open_head
    from .geometry.views.table import info_table

    with _Bars() as bars:
        found = open_head(source, tensor=tensor, tokenizer=tokenizer, progress=bars).info()
    if as_json:
        click.echo(json.dumps(found.to_dict(), ensure_ascii=False))
    else:
        _show(info_table(found))


@unembed.command()
@click.option("--clear", is_flag=True, help="Remove what is listed; the demos are kept.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object an entry.")
def cache(clear: bool, as_json: bool) -> None:
    """List what is kept on disk of what was derived from heads, or clear it."""
    from .geometry.views.table import entries_table
    from .indexes import store

    directory = store.cache_directory()
    entries = store.clear(directory) if clear else store.derived(directory)
    if as_json:
        for entry in entries:
            click.echo(json.dumps(entry.to_dict(), ensure_ascii=False))
        return
    click.echo(f"{'removed from' if clear else 'kept in'} {directory}")
    _show(entries_table(entries))


def _expressions(arguments: Sequence[str]) -> Iterator[str]:
    """Give the expressions, those of stdin in the place of a single minus."""
    for argument in arguments:
        if argument.startswith("--"):
            raise click.NoSuchOption(argument)
        if argument != "-":
            yield argument
            continue
        if sys.stdin is None:
            raise click.UsageError("- reads expressions from stdin, which is closed")
        try:
            text = sys.stdin.read(_STDIN_LIMIT + 1)
        except UnicodeDecodeError as error:
            raise click.UsageError(f"stdin is not in {error.encoding}: {error.reason}") from error
        if len(text) > _STDIN_LIMIT:
            raise click.UsageError(f"stdin has more than {_STDIN_LIMIT:,} characters; divide it")
        yield from (line.strip() for line in text.splitlines() if line.strip())


def _show(what: "RenderableType") -> None:
    """Print a table for people."""
    from rich.console import Console

    width = max(80, Console().width)  # a narrow terminal breaks lines sooner than lose numbers
    Console(highlight=False, width=width).print(what, crop=False)


class _Bars:
    """Progress bars on stderr, drawn once the work has taken longer than a moment."""

    def __init__(self) -> None:
        self._started: float | None = None
        self._bars: RichProgress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "_Bars":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, step: str, done: int, total: int) -> None:
        """Show that `done` of `total` of a step is done."""
        now = time.monotonic()
        self._started = self._started or now
        if now - self._started < _MOMENT:
            return
        if self._bars is None:
            from rich.console import Console
            from rich.progress import Progress

            self._bars = Progress(console=Console(stderr=True))
            self._bars.start()
        if step not in self._tasks:
            self._tasks[step] = self._bars.add_task(step, total=total)
        self._bars.update(self._tasks[step], completed=done)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0, 1 for a failure, 2 for a wrong call, 130 on an interrupt.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; those of the process where it is None.

    Examples
    --------
    >>> try:
    ...     main(["near", "demo", "sea", "--top", "0"])
    ... except SystemExit as end:
    ...     end.code
    2
    """
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    """Run the command line; give the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a token is never beyond the terminal
    if sys.stdout is None:
        _complain("stdout is closed: there is nowhere to print the answer")
        return 1
    try:
        with _reports_to_stderr():
            unembed.main(arguments, prog_name="unembed", standalone_mode=False)
    except UnembedError as error:
        _complain(str(error))
        return 2 if isinstance(error, UsageError) else 1
    except (
        OSError,
        MemoryError,
    ) as error:  # stdout is full or gone: what we read is ours to report
        _complain(str(error) or "there is not enough memory for this")
        return 1
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _INTERRUPTED
    return 0


def _complain(message: str) -> None:
    """Print an error on stderr; what it quotes of a file or an expression can do no harm."""
    from .geometry.tokens.vocabulary import display

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
