"""What was found in a source."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..indexes.store import Entry
from .heads.unembedding import Unembedding
from .tokens.kinds import KINDS


@dataclass(frozen=True)
class NormInfo:
    """The final norm: its kind (``rms`` or ``layer``), its epsilon, whether it has a bias.

    Examples
    --------
    >>> import unembed
    >>> unembed.open_head("demo-bytes").info().norm
    NormInfo(kind='layer', epsilon=1e-05, bias=True)
    """

    kind: str
    epsilon: float
    bias: bool


@dataclass(frozen=True)
class Lengths:
    """The norms of the rows: the least, the median and the largest.

    Examples
    --------
    >>> import unembed
    >>> lengths = unembed.open_head("demo").info().row_norms
    >>> lengths.least < lengths.median < lengths.largest
    True
    """

    least: float
    median: float
    largest: float


@dataclass(frozen=True)
class Info:
    """What a source holds.

    Attributes
    ----------
    source, path, tensor : str
        What was named, the file of the head, the head's name in it.
    commit : str or None
        Of a model of a hub.
    architecture : str or None
        The model's class, as ``config.json`` names it.
    shape : tuple of int
        Rows and width.
    dtype : str
        ``BF16``, ``F16``, ``F32`` or ``F64``.
    tied : bool
        Whether it is the input embedding too.
    bias : bool
        Whether the head has a bias.
    scale : float
        What logits are multiplied by.
    softcap : float or None
        What bounds them.
    norm : NormInfo or None
        The final norm.
    vocabulary : dict of str to int
        How many rows there are of each kind of token; see `Vocabulary.kind`.
    row_norms : Lengths
        Of the rows that have a token.
    cache : tuple of Entry
        What is kept on disk of what was derived from the head.

    Examples
    --------
    >>> import unembed
    >>> found = describe(unembed.open_head("demo"))
    >>> found.norm, found.vocabulary["byte"]
    (NormInfo(kind='rms', epsilon=1e-06, bias=False), 256)
    """

    source: str
    path: str
    tensor: str
    commit: str | None
    architecture: str | None
    shape: tuple[int, int]
    dtype: str
    tied: bool
    bias: bool
    scale: float
    softcap: float | None
    norm: NormInfo | None
    vocabulary: dict[str, int]
    row_norms: Lengths
    cache: tuple[Entry, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give it as the object that ``--json`` prints."""
        found = asdict(self)
        return found | {"cache": [entry.to_dict() for entry in self.cache]}

    def facts(self) -> list[tuple[str, str]]:
        """Give what a person wants to read, a name and a value each.

        Examples
        --------
        >>> import unembed
        >>> dict(describe(unembed.open_head("demo")).facts())["shape"]
        '262,144 rows of 640, BF16'
        """
        norm = self.norm
        said = "none found"
        if norm is not None:
            bias = ", with a bias" if norm.bias else ""
            said = f"{norm.kind}, epsilon {norm.epsilon:g}{bias}"
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in self.vocabulary.items() if count)
        lengths = self.row_norms
        return [
            ("source", self.source),
            *([] if self.commit is None else [("commit", self.commit)]),
            ("architecture", self.architecture or "not stated"),
            ("file", self.path),
            ("tensor", self.tensor + (", tied to the input embedding" if self.tied else "")),
            ("shape", f"{self.shape[0]:,} rows of {self.shape[1]:,}, {self.dtype}"),
            ("bias", "yes" if self.bias else "none"),
            ("final norm", said),
            ("logit scale", f"{self.scale:g}"),
            ("softcap", "none" if self.softcap is None else f"{self.softcap:g}"),
            ("vocabulary", kinds),
            (
                "row norms",
                f"{lengths.least:.4g} to {lengths.largest:.4g}, median {lengths.median:.4g}",
            ),
        ]


def describe(head: Unembedding) -> Info:
    """Say what was found in a head's source.

    Raises
    ------
    CheckpointError
        A row holds NaN or infinity.

    Examples
    --------
    >>> import unembed
    >>> describe(unembed.open_head("demo-bytes")).dtype
    'F16'
    """
    vocabulary, final_norm = head.vocabulary, head.final_norm
    counts = np.bincount(vocabulary.kinds_V, minlength=len(KINDS))
    lengths = head.norms_V[vocabulary.known_V]
    norm = None
    if final_norm is not None:
        norm = NormInfo(final_norm.kind, final_norm.epsilon, final_norm.bias_D is not None)
    return Info(
        source=head.source,
        path=str(head.path),
        tensor=head.tensor,
        commit=head.commit,
        architecture=head.architecture,
        shape=(head.rows.count, head.rows.width),
        dtype=head.rows.dtype,
        tied=head.tied,
        bias=head.bias_V is not None,
        scale=head.scale,
        softcap=head.softcap,
        norm=norm,
        vocabulary={kind: int(count) for kind, count in zip(KINDS, counts, strict=True)},
        row_norms=Lengths(float(lengths.min()), float(np.median(lengths)), float(lengths.max())),
        cache=head.store.entries(),
    )
