"""The command line: parse, call, print."""

import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from . import __version__
from .errors import UnembedError, UsageError

if TYPE_CHECKING:
    from .geometry.heads.demo import Progress

_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
_PIPE_CLOSED = 141  # 128 + SIGPIPE


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
@click.option("--space", default="cosine", show_default=True, help="The geometry: cosine or logit.")
@click.option("--region", help="Search only these tokens: emoji.  [default: all tokens]")
@click.option("--top", default=10, show_default=True, help="How many tokens.", metavar="K")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, floats in full.")
def near(
    source: str, expression: str, space: str, region: str | None, top: int, as_json: bool
) -> None:
    r"""Show the tokens that lie closest to a sum of words and emoji.

    \b
    unembed near demo 'king - man + woman'
    unembed near demo 'sea + horse' --region emoji
    """
    from .geometry.heads.head import open_head
    from .geometry.neighbours import nearest

    with _progress() as progress:
        head = open_head(source, progress=progress)
    answer = nearest(head, expression, space=space, region=region, top=top)
    if as_json:
        click.echo(json.dumps(answer.to_dict(), ensure_ascii=False))
        return
    from rich.console import Console

    from .geometry.views.table import neighbours_table

    Console(highlight=False).print(neighbours_table(answer))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0, 1 for a failure, 2 for a wrong call."""
    _reports_to_stderr()
    try:
        unembed.main(arguments, prog_name="unembed", standalone_mode=False)
        sys.stdout.flush()
    except UsageError as error:
        _fail(str(error), 2)
    except UnembedError as error:
        _fail(str(error), 1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:
        # The interpreter flushes stdout once more at exit: let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_PIPE_CLOSED)


def _fail(message: str, code: int) -> None:
    """Print an error as one of ours and exit."""
    click.echo(f"unembed: {message}", err=True)
    sys.exit(code)


def _reports_to_stderr() -> None:
    """Send the library's warnings to stderr, one line each, and never fail to encode a token."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    log = logging.getLogger("unembed")
    if not log.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("unembed: %(message)s"))
        log.addHandler(handler)
        log.propagate = False


@contextmanager
def _progress() -> Iterator["Progress"]:
    """Give a callback that shows a bar on stderr, made when something first reports."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        bars: dict[str, object] = {}

        def report(step: str, done: int, total: int) -> None:
            from rich.progress import Progress as Bars

            if "bars" not in bars:
                from rich.console import Console

                bars["bars"] = stack.enter_context(Bars(console=Console(stderr=True)))
            shown = bars["bars"]
            if not isinstance(shown, Bars):
                return
            if step not in bars:
                bars[step] = shown.add_task(step, total=total)
            shown.update(bars[step], completed=done)  # type: ignore[arg-type]

        yield report
