"""Progress on a terminal."""

import time
from typing import TYPE_CHECKING

from ...indexes.progress import FETCHING

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_MOMENT = 0.5  # seconds


class Bars:
    """Progress bars on stderr, drawn once the work has taken longer than a moment.

    Examples
    --------
    >>> with Bars() as bars:
    ...     bars("counting", 1, 2)
    """

    def __init__(self) -> None:
        self._started: float | None = None
        self._bars: RichProgress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "Bars":
        """Wait for work."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the bars as they stand."""
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, step: str, done: int, total: int) -> None:
        """Show that `done` of `total` of a step is done; where 0 is the total, it is not known."""
        now = time.monotonic()
        self._started = self._started or now
        if now - self._started < _MOMENT:
            return
        if self._bars is None:
            from rich.console import Console
            from rich.progress import Progress, TaskProgressColumn

            text, bar, _, left = Progress.get_default_columns()
            # A share, or how many a second where there is none to tell.
            share = TaskProgressColumn(show_speed=True)
            self._bars = Progress(text, bar, share, left, console=Console(stderr=True))
            self._bars.start()
        if step not in self._tasks:
            self._tasks[step] = self._bars.add_task(step, total=total or None)
        name = step if total else f"{step} {done:,}"
        if step.startswith(FETCHING):
            name = f"{step}, {done / 1e6:,.1f} of {total / 1e6:,.1f} MB"
        self._bars.update(self._tasks[step], description=name, completed=done, total=total or None)
