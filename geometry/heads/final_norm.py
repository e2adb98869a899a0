"""The norm that stands between a model's residual stream and its head."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import UsageError
from ...indexes.vectors import as_numbers

# Vectors of width D.


@dataclass(frozen=True, eq=False)
class FinalNorm:
    """A model's last normalisation, with its gain as it is applied.

    With h the residual, w the weight, b the bias and ε the epsilon, ``"rms"`` is
    w · h / √(mean(h²) + ε) (Zhang and Sennrich 2019, *Root Mean Square Layer Normalization*) and
    ``"layer"`` is w · (h − mean(h)) / √(var(h) + ε) + b (Ba, Kiros and Hinton 2016, *Layer
    Normalization*; the variance divides by D).

    Attributes
    ----------
    kind : {"rms", "layer"}
        Which of the two.
    weight_D : ndarray of float64
        Shape (D,): the whole gain. Gemma's checkpoints hold w − 1; here the 1 is added.
    bias_D : ndarray of float64 or None
        Shape (D,), where the norm has one.
    epsilon : float
        Keeps the root above 0.

    Examples
    --------
    >>> norm = FinalNorm("rms", np.array([1.0, 2.0]), None, 0.0)
    >>> norm(np.array([1.0, 7.0]))
    array([0.2, 2.8])
    """

    kind: Literal["rms", "layer"]
    weight_D: NDArray[np.float64] = field(repr=False)
    bias_D: NDArray[np.float64] | None = field(repr=False)
    epsilon: float

    def __call__(self, residuals: ArrayLike) -> NDArray[np.float64]:
        """Normalise residuals.

        Parameters
        ----------
        residuals : array_like
            Shape (..., D): what leaves the last layer.

        Returns
        -------
        ndarray of float64
            Of the same shape: what meets the head.

        Raises
        ------
        UsageError
            They are of another width, or no finite numbers (see `as_numbers`).
        """
        values = as_numbers(residuals, what="the residual")
        width = len(self.weight_D)
        if values.shape[-1:] != (width,):
            raise UsageError(
                f"the residual has shape {values.shape}; the norm takes (..., {width})"
            )
        if self.kind == "layer":
            values = values - values.mean(axis=-1, keepdims=True)
        scale = np.sqrt(np.square(values).mean(axis=-1, keepdims=True) + self.epsilon)
        normed = values / scale * self.weight_D
        return np.asarray(normed if self.bias_D is None else normed + self.bias_D)
