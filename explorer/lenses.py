"""The logit lens: of a prompt, or of residuals in a file."""

from typing import Any

from ..errors import UsageError
from ..geometry.lens.ask import lens
from ..geometry.model.residuals import read_residuals
from ..geometry.views.lens_page import lens_page
from . import recipes
from .questions import LensOf
from .served import Served, region_of
from .work import Telling

_OF_A_PROMPT = ("generate", "chat", "start")


def lens_of(served: Served, asked: LensOf, telling: Telling) -> dict[str, Any]:
    """Say what each layer would write; the page that shows it is held.

    Examples
    --------
    >>> import unembed
    >>> served = Served({"demo": unembed.open_head("demo")})
    >>> found = lens_of(served, LensOf(source="demo", prompt="A seahorse emoji:"), Telling())
    >>> found["layers"], found["positions"]
    (19, 1)
    """
    head = served.head(asked.source)
    if (asked.prompt is None) == (asked.residuals is None):
        raise UsageError("give a prompt, or a file of residuals")
    options = asked.options("source", "prompt", "residuals")
    run = {name: options[name] for name in _OF_A_PROMPT if name in options}
    if asked.residuals is not None:
        with served.files.reading(asked.residuals) as path:
            prompt: Any = read_residuals(path, width=head.rows.width, tokens=head.rows.count)
        run, words, flags = {}, [asked.source], {"residuals": f"residuals{path.suffix}"}
    else:
        prompt, words, flags = asked.prompt, [asked.source, _escaped(asked.prompt or "")], {}
    telling.progress("asking the model" if run or asked.prompt else "reading layers", 0, 0)
    found = lens(
        head,
        prompt,
        **run,
        top=asked.top,
        track=asked.track,
        concepts=asked.concepts,
        decompose=asked.decompose,
        over=region_of(head, asked.over),
        space=asked.space,
        progress=telling.progress,
    )
    telling.progress("drawing", 0, 1)
    shown = options | ({"track": ",".join(asked.track)} if asked.track else {})
    return {
        "page": served.keep_page(lens_page(found)),
        "layers": len(found.positions[0].layers),
        "positions": len(found.positions),
        "command": recipes.command(
            "lens", words, recipes.renamed(flags | shown, concepts="concept")
        ),
        "python": _python(asked, options, flags),
    }


def _escaped(prompt: str) -> str:
    """Write line breaks and tabs as the command line reads them."""
    signs = {"\\": r"\\", "\n": r"\n", "\t": r"\t"}
    return "".join(signs.get(char, char) for char in prompt)


def _python(asked: LensOf, options: dict[str, Any], flags: dict[str, str]) -> str:
    """Write the call; residuals in a file are read first."""
    if not flags:
        return recipes.python(asked.source, "lens", asked.prompt, **options)
    read = "from unembed.geometry.model.residuals import read_residuals\n"
    held = f"read_residuals({flags['residuals']!r}, width=head.rows.width, tokens=head.rows.count)"
    return read + recipes.python(asked.source, "lens", recipes.Code(held), **options)
