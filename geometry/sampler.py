"""What the sampler makes of logits: the softmax over all rows."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..indexes.exact import Measure
from .heads.unembedding import Unembedding

# V rows of width D; N rows of a block; Q queries.

_LARGEST_PRODUCT = 1e8  # beyond, a softmax is rounding


def check_products(head: Unembedding, residual_norm: float) -> None:
    """Refuse a residual whose products with rows are so large that their softmax is rounding.

    Raises
    ------
    UsageError
        It is too long.

    Examples
    --------
    >>> import unembed
    >>> check_products(unembed.open_head("demo"), 117.0)
    """
    largest = residual_norm * float(head.norms_V.max())
    if largest > _LARGEST_PRODUCT:
        raise UsageError(
            f"a residual of norm {residual_norm:.3g} has products with rows of up to "
            f"{largest:.3g}; those of a softmax may come to {_LARGEST_PRODUCT:g}: scale it"
        )


def log_totals(
    head: Unembedding, logits: Sequence[Measure], *, temperature: float
) -> NDArray[np.float64]:
    """Give the logarithm of what the softmax divides by, for each of some queries.

    The sum is over every row, padding included, as in the model; logits are scaled and capped as
    the model has it, then divided by the temperature. Rows are decoded once for all queries, and
    the sum of a query does not depend on the others.

    Parameters
    ----------
    head : Unembedding
        Whose rows.
    logits : sequence of Measure
        Products with the rows, bias included.
    temperature : float
        Above zero.

    Returns
    -------
    ndarray of float64
        Shape (Q,).

    Examples
    --------
    >>> import unembed
    >>> head = unembed.open_head("demo-bytes")
    >>> totals_Q = log_totals(head, [Measure(np.zeros(512))], temperature=1.0)
    >>> round(float(np.exp(totals_Q[0])))
    51865
    """
    highest_Q, totals_Q = np.full(len(logits), -np.inf), np.zeros(len(logits))
    ids_V = np.arange(head.rows.count)
    for places, block_ND in head.rows.blocks(ids_V):
        for query, measure in enumerate(logits):
            energies_N = energies(
                head,
                measure.of_products(block_ND @ measure.query_D, ids_V[places]),
                temperature=temperature,
            )
            highest = max(highest_Q[query], energies_N.max())
            # Sums so far are brought to the new highest: nothing overflows.
            totals_Q[query] *= np.exp(highest_Q[query] - highest)
            totals_Q[query] += np.exp(energies_N - highest).sum()
            highest_Q[query] = highest
    return np.asarray(highest_Q + np.log(totals_Q))


def energies(
    head: Unembedding, logits: NDArray[np.float64], *, temperature: float
) -> NDArray[np.float64]:
    """Give what the softmax takes: logits scaled and capped, over the temperature.

    Examples
    --------
    >>> import unembed
    >>> energies(unembed.open_head("demo"), np.array([3.0]), temperature=2.0)
    array([1.5])
    """
    return head.emitted(logits) / temperature
