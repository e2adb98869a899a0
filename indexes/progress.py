"""How long work tells how far it is."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Is told ``(step, done, total)``."""

FETCHING = "fetching"
"""Steps that begin so are counted in bytes."""

Done = Callable[[int, int], None]
"""Is told ``(done, total)`` of one step."""


def step_of(progress: Progress | None, step: str) -> Done:
    """Give what tells of one step, to nobody where nobody asked.

    Examples
    --------
    >>> step_of(print, "counting")(1, 2)
    counting 1 2
    >>> step_of(None, "counting")(1, 2)
    """

    def done(count: int, total: int) -> None:
        if progress is not None:
            progress(step, count, total)

    return done
