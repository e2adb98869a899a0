"""The question: how healthy a vocabulary is."""

import numpy as np

from ...indexes.progress import Progress
from ..explaining.belonging import scripts_by_row
from ..heads.unembedding import Unembedding
from ..model.residuals import Residuals
from ..tokens.vocabulary import Vocabulary
from .alike import alike
from .coverage import block_coverage, emoji_coverage
from .fragments import fragments_of
from .health import Health
from .reached import reached
from .round_trip import round_trips
from .undertrained import undertrained
from .writable import writable_all

# V tokens.


def examine(
    head: Unembedding,
    *,
    writable: bool = False,
    residuals: Residuals | None = None,
    progress: Progress | None = None,
) -> Health:
    """Say what each token of a vocabulary is, and which are odd.

    Parameters
    ----------
    head : Unembedding
        Whose vocabulary and rows.
    writable : bool
        Decide too for every token whether any residual writes it, which may take long the first
        time.
    residuals : Residuals, optional
        What a model had: which tokens come near the top with these?
    progress : callable, optional
        Is told ``(step, done, total)``.

    Raises
    ------
    VocabularyError
        The tokenizers library cannot encode by this tokenizer.
    UsageError
        The residuals are of another width than the rows.

    Examples
    --------
    >>> import unembed
    >>> found = examine(unembed.open_head("demo-bytes"))
    >>> found.emoji.one, found.states()["partial"]
    (3, 1476)
    """
    return Health(
        source=head.source,
        vocabulary=head.vocabulary,
        scripts_V=scripts_by_row(head),
        norms_V=head.norms_V,
        states_V=round_trips(head, progress=progress),
        same_text=_same_text(head.vocabulary),
        emoji=emoji_coverage(head.vocabulary, progress=progress),
        blocks=block_coverage(head, progress=progress),
        fragments=fragments_of(head.vocabulary, progress=progress),
        alike=alike(head, progress=progress),
        undertrained=undertrained(head, progress=progress),
        winners=writable_all(head, progress=progress) if writable else None,
        reached=None if residuals is None else reached(head, residuals, progress=progress),
    )


def _same_text(vocabulary: Vocabulary) -> tuple[tuple[int, ...], ...]:
    """Gather the tokens that write the same as others, by their ids."""
    groups: dict[bytes, list[int]] = {}
    for id_ in np.flatnonzero(vocabulary.known_V).tolist():
        if vocabulary.written[id_]:
            groups.setdefault(vocabulary.written[id_], []).append(id_)
    return tuple(tuple(ids) for ids in groups.values() if len(ids) > 1)
