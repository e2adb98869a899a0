"""What is known of a token, beside what its row is made of."""

import numpy as np

from ...indexes.progress import Progress, step_of
from ...indexes.winning.one import Verdict, decide
from ..heads.unembedding import Unembedding
from ..space import Space, open_space
from ..tokens.scripts import SCRIPTS
from .belonging import Belonging
from .characters import characters_of
from .explanation import Token

# V tokens.


def token_of(
    head: Unembedding,
    belonging: Belonging,
    id_: int,
    *,
    space: Space,
    progress: Progress | None = None,
) -> Token:
    """Say what is known of a token.

    Parameters
    ----------
    head : Unembedding
        Its head.
    belonging : Belonging
        Its regions.
    id_ : int
        A known token.
    space : Space
        Where it is explained.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.explaining.belonging import belonging_of
    >>> head = unembed.open_head("demo")
    >>> found = token_of(head, belonging_of(head), 5442, space=open_space(head))
    >>> found.token, found.kind, found.script, found.writable
    ('▁sea', 'whole-word', 'Latin', True)
    """
    vocabulary = head.vocabulary
    known_V, norms_V = vocabulary.known_V, head.norms_V
    norm = float(norms_V[id_])
    longer_V = (norms_V > norm) | ((norms_V == norm) & (np.arange(len(norms_V)) < id_))
    verdict = writable(head, id_, space=space, progress=progress)
    characters, total = characters_of(vocabulary, id_) if vocabulary.lacks(id_) else ((), 0)
    return Token(
        id=id_,
        token=vocabulary.token(id_),
        text=vocabulary.text(id_),
        kind=vocabulary.kind(id_),
        script=SCRIPTS[belonging.scripts_V[id_]],
        regions=tuple(belonging.names[at] for at in belonging.of(id_)),
        norm=norm,
        norm_rank=1 + int((longer_V & known_V).sum()),
        tokens=int(known_V.sum()),
        writable=verdict.wins,
        writable_by=verdict.by,
        characters=characters,
        characters_total=total,
    )


def writable(
    head: Unembedding, id_: int, *, space: Space, progress: Progress | None = None
) -> Verdict:
    """Decide whether any residual gives a token the largest logit of all rows, padding included.

    Where rows are whitened in the space, that is made use of.

    Examples
    --------
    >>> import unembed
    >>> head = unembed.open_head("demo")
    >>> writable(head, 5442, space=open_space(head)).by
    'own row'
    """
    whitened_D = None
    if space.kind.whitened:
        placed_D = space.place(head.rows.decode(np.array([id_])))[0]
        whitened_D = space.measure(placed_D, cosine=False).query_D
    return decide(
        head.index,
        head.rows,
        id_,
        lengths_V=head.norms_V,
        mean_D=open_space(head, "centred", progress=progress).mean_D,
        whitened_D=whitened_D,
        bias_V=head.bias_V,
        done=step_of(progress, "looking for a residual that writes the token"),
    )
