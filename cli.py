"""The command line: its commands, its errors, its exit codes."""

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper

import click

from . import __version__
from .commands.audit import audit
from .commands.compare import compare
from .commands.convert import convert
from .commands.direction import direction
from .commands.evaluate import evaluate
from .commands.explain import explain
from .commands.export import export
from .commands.info import cache, info
from .commands.lens import lens
from .commands.map import map_
from .commands.near import near
from .commands.serve import serve
from .commands.similarity import similarity
from .commands.vocab import vocab
from .errors import UnembedError, UsageError

_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


@click.group(context_settings={"help_option_names": ["--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="unembed", message="%(prog)s %(version)s")
def unembed() -> None:
    """Explore the geometry of a language model's last matrix, mostly without running the model.

    SOURCE is a checkpoint directory with config.json, tokenizer.json and its weights in
    safetensors; a .safetensors or .gguf file; a model of a hub, as organisation/model, or another
    address, https://…/model.safetensors; or a demo: demo (Gemma 3 270M) or demo-bytes (the decoder
    of Whisper base).
    """


_COMMANDS = (
    near,
    explain,
    compare,
    similarity,
    vocab,
    audit,
    map_,
    lens,
    serve,
    direction,
    evaluate,
    info,
    export,
    convert,
    cache,
)
for _command in _COMMANDS:
    unembed.add_command(_command)


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
