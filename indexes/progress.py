"""How long work tells how far it is."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Is told ``(step, done, total)``."""

Done = Callable[[int, int], None]
"""Is told ``(done, total)`` of one step."""
