"""The question: what a row, or a composed vector, is made of."""

from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...indexes.rows import united
from ..concepts.compose import Composer, Composition, composer_of
from ..concepts.concept import Concept
from ..heads.unembedding import Unembedding
from ..neighbours import Query, as_concept, nearest
from ..region import RegionLike, find_region
from .along import along
from .belonging import Belonging, belonging_of
from .chance import by_chance
from .dictionary import Dictionary
from .explanation import Explanation
from .forms import forms_of
from .lasso import lasso_sums
from .pursuit import MOST, Part, sparse_sums
from .steps import Units, steps_of
from .traits import token_of

# Rows of width D; N vectors; M directions and regions.

METHODS = {"omp": sparse_sums, "lasso": lasso_sums}
_SAME = 1e-9  # of a cosine: the vector is the row


class ExplainOptions(Composition, total=False):
    """What can be asked of an explanation, beside how concepts are composed.

    Attributes
    ----------
    parts : int
        How many a sum has at most, 1 to 16; 6 by default.
    among : str, sequence of int or None
        The region whose rows the sum is made of, ``words`` by default, as `find_region` takes it;
        None for all tokens. The mean steps of directions and the mean rows of emoji and of scripts
        are there too.
    method : str
        ``omp``, orthogonal matching pursuit, or ``lasso``.
    signed : bool
        Whether weights may be below 0.
    top : int
        How many neighbours.

    Examples
    --------
    >>> import unembed
    >>> options: ExplainOptions = {"parts": 2, "top": 1}
    >>> unembed.open_head("demo").explain("queen", **options).equation()
    '▁king + female'
    """

    parts: int
    among: RegionLike
    method: str
    signed: bool
    top: int


def explain(
    head: Unembedding,
    query: Query,
    *,
    parts: int = 6,
    among: RegionLike = "words",
    method: str = "omp",
    signed: bool = False,
    top: int = 5,
    **composition: Unpack[Composition],
) -> Explanation:
    """Say what a row, or a composed vector, is made of, and what is known of its token.

    Left out of the sum are the tokens that the query names, the forms of its words (`same_word`),
    and the pairs of directions and the shares of region means that have these tokens.

    Parameters
    ----------
    head : Unembedding
        Whose rows.
    query : str, Concept, array_like or sequence of (key, weight)
        As in `nearest`.
    parts, among, method, signed, top, **composition
        As in `ExplainOptions`.

    Raises
    ------
    UsageError
        The query or an option is wrong, or the vector is zero.

    Examples
    --------
    >>> import unembed
    >>> found = explain(unembed.open_head("demo"), "🐠", parts=3)
    >>> [part.kind for part in found.parts], found.parts[2].explained > 5 * found.chance[2]
    (['region', 'token', 'token'], True)
    """
    if not 1 <= parts <= MOST:
        raise UsageError(f"parts is {parts}; a sum has 1 to {MOST}")
    if method not in METHODS:
        raise UsageError(f"unknown method {method!r}; they are {', '.join(METHODS)}")
    progress = composition.get("progress")
    composer = composer_of(head, **composition)
    concept = as_concept(composer, query)
    vector_D = concept.unit().vector_D
    (found,) = nearest(head, [concept], top=top, **composition)
    steps = steps_of(composer, progress=progress)
    named = [id_ for name in concept.resolved for id_ in name.token_ids]
    region = find_region(head, among)
    all_steps, own_steps = steps.without([]), steps.without(named)
    belonging = belonging_of(head)
    whole = _dictionary(composer, belonging, region.ids_N, all_steps, [])
    others_N = _others(head, concept, region.ids_N)
    without = _dictionary(composer, belonging, others_N, own_steps, named)

    def sums(
        vectors_ND: NDArray[np.float64], count: int, dictionary: Dictionary
    ) -> list[tuple[Part, ...]]:
        return METHODS[method](
            head,
            composer.space,
            vectors_ND,
            count,
            dictionary=dictionary,
            signed=signed,
            progress=progress,
        )

    (sum_,) = sums(vector_D[None], parts, without)
    chance_K = by_chance(
        head,
        composer.space,
        whole,
        f"{method}{' signed' if signed else ''}",
        lambda vectors_ND: sums(vectors_ND, MOST, whole),
    )
    id_ = _one_token(composer, concept)
    return Explanation(
        source=head.source,
        expression=concept.expression,
        space=composer.space.name,
        method=method,
        signed=signed,
        dictionary=region.name or "all tokens",
        resolved=concept.resolved,
        parts=sum_,
        chance=tuple(chance_K[: len(sum_)].tolist()),
        neighbours=found.neighbours,
        snap=found.snap,
        directions=along(composer, vector_D, own_steps, among=all_steps, progress=progress),
        token=None
        if id_ is None
        else token_of(head, belonging, id_, space=composer.space, progress=progress),
    )


def _others(head: Unembedding, concept: Concept, ids_N: NDArray[np.int64]) -> NDArray[np.int64]:
    """Leave out the tokens of a concept and the forms of its words."""
    own = {id_ for name in concept.resolved for id_ in name.token_ids}
    texts = {name.text for name in concept.resolved}
    texts |= {word.text for name in concept.resolved for word in name.words}
    if len(own) == 1:
        texts |= {head.vocabulary.text(id_) or "" for id_ in own}
    forms = [id_ for text in texts for id_ in forms_of(text, head.vocabulary)]
    return ids_N[~np.isin(ids_N, [*own, *forms])]


def _dictionary(
    composer: Composer,
    belonging: Belonging,
    ids_N: NDArray[np.int64],
    steps: Units,
    without: list[int],
) -> Dictionary:
    """Give rows, directions and regions, the last two without what they have of some tokens."""
    head, space = composer.head, composer.space
    sums_MD = belonging.means_MD * belonging.counts_M[:, None]
    counts_M = belonging.counts_M.astype(np.float64)
    for id_ in set(without):
        inside = list(belonging.of(id_))
        sums_MD[inside] -= head.rows.decode(np.array([id_]))[0]
        counts_M[inside] -= 1
    means_MD = united(space.place(sums_MD / counts_M[:, None]))
    kinds = ("direction",) * len(steps.names) + ("region",) * len(belonging.names)
    units_MD = np.concatenate([steps.units_MD, means_MD])
    return Dictionary(ids_N, steps.names + belonging.names, kinds, units_MD)


def _one_token(composer: Composer, concept: Concept) -> int | None:
    """Give the token whose row a concept is; None where it is of several, or turned round."""
    ids = {id_ for name in concept.resolved for id_ in name.token_ids}
    if len(ids) != 1:
        return None
    row_D = composer.space.place(composer.head.rows.decode(np.array(list(ids))))
    cosine = float((united(row_D)[0] * concept.unit().vector_D).sum())
    return ids.pop() if cosine > 1 - _SAME else None
