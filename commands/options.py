"""What several commands take, and how they print."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol

import click

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_STDIN_LIMIT = 64 << 20  # characters


class Answer(Protocol):
    """What has an object of JSON.

    Examples
    --------
    >>> import unembed
    >>> answer: Answer = unembed.open_head("demo-bytes").nearest("sea")
    """

    def to_dict(self) -> dict[str, Any]:
        """Give the object."""


def opens_a_head(command: Callable[..., None]) -> Callable[..., None]:
    """Add what every command takes that opens a head.

    The command gets `source`, and as `where` what else `open_head` takes.

    Examples
    --------
    >>> @click.command()
    ... @opens_a_head
    ... def shout(source, where): ...
    >>> [parameter.name for parameter in shout.params]
    ['source', 'tensor', 'tokenizer', 'revision']
    """
    return _opens(command, click.argument("source"))


def opens_heads(command: Callable[..., None]) -> Callable[..., None]:
    """Add what a command takes that opens several heads: `sources`, and `where` as of one.

    Examples
    --------
    >>> @click.command()
    ... @opens_heads
    ... def shout(sources, where): ...
    >>> [parameter.name for parameter in shout.params]
    ['sources', 'tensor', 'tokenizer', 'revision']
    """
    return _opens(command, click.argument("sources", nargs=-1, required=True, metavar="SOURCE..."))


def _opens(
    command: Callable[..., None], argument: Callable[[Callable[..., None]], Callable[..., None]]
) -> Callable[..., None]:
    """Add an argument for what is opened, and what says where in it the head is."""

    @wraps(command)
    def gathered(*, tensor: str, tokenizer: str, revision: str, **options: Any) -> None:
        command(where={"tensor": tensor, "tokenizer": tokenizer, "revision": revision}, **options)

    options = (
        argument,
        click.option(
            "--tensor",
            metavar="NAME",
            help="The matrix, where two could be the head; several that are joined, as in head.*.",
        ),
        click.option(
            "--tokenizer",
            metavar="FILE",
            help="A tokenizer that is not beside the weights, as a .json, .model or .tiktoken.",
        ),
        click.option(
            "--revision", metavar="NAME", help="The branch, tag or commit of a model of a hub."
        ),
    )
    for option in reversed(options):
        gathered = option(gathered)
    return gathered


def composes(
    command: Callable[..., None], *, space: str | None = "causal", unasked: str = ""
) -> Callable[..., None]:
    """Add what every command takes that composes concepts.

    Parameters
    ----------
    command : callable
        The command's function.
    space : str or None
        The default; None where the library tells it by what is asked.
    unasked : str
        What the default then is.

    Examples
    --------
    >>> @click.command()
    ... @composes
    ... def shout(**options): ...
    >>> [parameter.name for parameter in shout.params]
    ['space', 'pieces', 'directions', 'estimator', 'fold_norm']
    """
    options = (
        click.option(
            "--space",
            metavar="NAME",
            default=space,
            show_default=space is not None,
            help="The geometry: causal, centred, cosine or logit; causal:oas, causal:0.1 or "
            f"causal:floor=0.01 shrink it otherwise.{unasked}",
        ),
        click.option(
            "--pieces",
            metavar="HOW",
            default="rarity",
            show_default=True,
            help="How the tokens of a name count: by rarity, their mean or sum, the first or last; "
            "or model: words of several tokens are as the model builds them.",
        ),
        click.option(
            "--directions",
            metavar="FILE",
            help="Directions of your own: pairs in TOML, or one that was saved.",
        ),
        click.option(
            "--estimator",
            metavar="NAME",
            help="How directions are learned: offset, category, ridge or procrustes.  "
            "[default: each in its own way]",
        ),
        click.option(
            "--fold-norm", is_flag=True, help="Multiply the final norm's gain into the rows."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def expressions_of(arguments: Sequence[str]) -> Iterator[str]:
    """Give the expressions, those of stdin in the place of a single minus.

    Examples
    --------
    >>> list(expressions_of(["sea", "-horse"]))
    ['sea', '-horse']
    """
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


def print_lines(lines: Iterable[str]) -> None:
    """Print lines for programs: a pipe gets every byte, a terminal no escapes.

    Examples
    --------
    >>> print_lines(["sea"])
    sea
    """
    from ..geometry.tokens.vocabulary import display

    for line in lines:
        # click would not give a pipe every byte.
        click.echo(display(line) if sys.stdout.isatty() else line, color=True)


def print_object(found: Answer) -> None:
    """Print an answer as one object of JSON, floats in full.

    Examples
    --------
    >>> import unembed
    >>> print_object(unembed.open_head("demo-bytes").nearest("sea", top=1))  # doctest: +ELLIPSIS
    {"schema": 1, "source": "demo-bytes", "expression": "sea", ...
    """
    print_lines([json.dumps(found.to_dict(), ensure_ascii=False)])


def show(what: "RenderableType") -> None:
    """Print a table for people.

    Examples
    --------
    >>> show("sea")
    sea
    """
    console_of().print(what, crop=False)


def console_of() -> "Console":
    """Give what prints for people on stdout.

    Examples
    --------
    >>> console_of().width >= 80
    True
    """
    from rich.console import Console

    width = max(80, Console().width)  # a narrow terminal breaks lines sooner than lose numbers
    return Console(highlight=False, width=width)
