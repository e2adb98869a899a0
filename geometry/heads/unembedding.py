"""The unembedding: the last matrix of a language model, opened where it lies."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import CheckpointError, UsageError
from ...indexes.faiss import MappedIndex
from ...indexes.progress import Progress
from ...indexes.rows import Rows
from ...indexes.store import Arrays, Store, cache_directory, fits, store_of
from ...indexes.tensors import fingerprint
from ...indexes.vectors import as_vectors
from ..demos.demo import DEMOS, demo_directory
from ..formats.converting import converted, is_foreign
from ..remote.address import address_of
from ..remote.mirror import CONFIG, mirror_of
from ..tokens.other_files import as_tokenizer_json
from ..tokens.vocabulary import Vocabulary
from .beside import tokenizer_of
from .checkpoint import Checkpoint
from .final_norm import FinalNorm
from .head_tensors import find_head

# V tokens, rows of width D; N residuals.

Real = TypeVar("Real", bound=np.floating[Any])


@dataclass(frozen=True, eq=False, repr=False)
class Unembedding:
    """The unembedding of one model: a row for each token, memory-mapped, and what goes with it.

    Attributes
    ----------
    source : str
        What the user named.
    path : Path
        The safetensors file that holds the rows.
    tensor : str
        The tensor's name in it.
    tied : bool
        Whether the tensor is the input embedding, used as the head too.
    rows : Rows
        V rows of width D, in the checkpoint's own type.
    bias_V : ndarray of float64 or None
        What is added to the products, where the head has a bias.
    scale : float
        What the products are multiplied by; 1 for most models.
    softcap : float or None
        The bound c of c · tanh(x / c) on the logits, where the model has one (Gemma 2).
    final_norm : FinalNorm or None
        What the last layer's residual passes before it meets the rows; None where the model has
        none after its last layer (BART), or none that is known.
    architecture : str or None
        The model's class as ``config.json`` names it.
    vocabulary : Vocabulary
        The V tokens.
    store : Store
        Where what is derived from this head is kept.
    key : str
        The file's fingerprint and the tensor's name: the key of all that is derived from the rows.
    folder : Path or None
        Of the whole checkpoint, with its configuration; None where only the head is here.
    commit : str or None
        Of a model of a hub.

    Examples
    --------
    >>> Unembedding.open("demo")
    Unembedding('demo', model.embed_tokens.weight, 262,144 x 640 BF16, tied)
    """

    source: str
    path: Path
    tensor: str
    tied: bool
    rows: Rows
    bias_V: NDArray[np.float64] | None
    scale: float
    softcap: float | None
    final_norm: FinalNorm | None
    architecture: str | None
    vocabulary: Vocabulary
    store: Store
    key: str
    folder: Path | None
    commit: str | None

    @classmethod
    def open(
        cls,
        source: str | Path,
        *,
        tensor: str | None = None,
        tokenizer: str | Path | None = None,
        revision: str | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Open the head of a checkpoint. Its rows are mapped; nothing else of the model is read.

        Parameters
        ----------
        source : str or Path
            A checkpoint directory; a ``.safetensors`` file; a ``.gguf`` file, of whose head a
            checkpoint is made in the cache; or, as a `str`, the name of a demo:
            ``demo`` (Gemma 3 270M) or ``demo-bytes`` (the decoder of Whisper base), which are
            converted on first use from packages of the ``[demo]`` extra; or an address, as
            `address_of` takes it. A directory of such a name is given as ``./demo`` or as a
            `Path`.
        tensor : str, optional
            The matrix to open, where the head cannot be told from the names or another is wanted;
            or a pattern with ``*`` of several that are joined.
        tokenizer : str or Path, optional
            A tokenizer of a kind that `as_tokenizer_json` knows; the one beside the weights where
            it is None.
        revision : str, optional
            A branch, tag or commit of a model of a hub. A local source has none and refuses it.
        progress : callable, optional
            Is told ``(step, done, total)`` while a demo is converted or a head is fetched.

        Raises
        ------
        UsageError
            A revision of a local source was asked for.
        SourceError
            The checkpoint or its tokenizer is missing or damaged, or holds no head.
        MissingExtraError
            A demo was asked for and its packages are not installed.
        ConversionError
            A demo could not be converted: the disk is full, the pieces are damaged.
        RemoteError
            A host does not give what is asked of it.

        Examples
        --------
        >>> Unembedding.open("demo-bytes")
        Unembedding('demo-bytes', model.decoder.embed_tokens.weight, 51,865 x 512 F16, tied)
        """
        cache, mirror = cache_directory(), None
        is_demo = isinstance(source, str) and source in DEMOS
        address = address_of(source, revision) if isinstance(source, str) and not is_demo else None
        if address is not None:
            mirror = mirror_of(address, progress=progress)
            opened = Checkpoint.remote(mirror, address.file)
            found = find_head(opened, tensor=tensor, progress=progress)
        elif revision is not None:
            raise UsageError(
                f"revision {revision!r}: revisions are of a model hub; {str(source)!r} is a local "
                "source and has none"
            )
        else:
            place = (
                demo_directory(str(source), cache, progress=progress) if is_demo else Path(source)
            )
            if is_foreign(place):
                place = converted(place, progress=progress)
            found = find_head(place, tensor=tensor, progress=progress)
        key = repr((fingerprint(found.path), found.name))
        # What an address asks of its host may be a secret.
        named = str(source).partition("?")[0] if mirror is not None else str(source)
        store = store_of(key, label=named)
        if tokenizer is not None:
            beside = as_tokenizer_json(Path(tokenizer))
        else:
            beside = tokenizer_of(found.directory if mirror is None else mirror)
        return cls(
            source=named,
            path=found.path,
            tensor=found.name,
            tied=found.tied,
            rows=found.rows,
            bias_V=found.bias_V,
            scale=found.architecture.scale,
            softcap=found.architecture.softcap,
            final_norm=found.final_norm,
            architecture=found.architecture.name,
            vocabulary=Vocabulary.open(beside, rows=found.rows.count, store=store),
            store=store,
            key=key,
            folder=found.directory if (found.directory / CONFIG).is_file() else None,
            commit=None if mirror is None else mirror.host.commit,
        )

    @cached_property
    def norms_V(self) -> NDArray[np.float64]:
        """The Euclidean norm of every row, ``float64`` of shape (V,); kept in the store.

        Raises
        ------
        CheckpointError
            A row holds NaN or infinity, or is too long for a float32 product.
        """
        kept = self.store.arrays(
            "norms",
            self.key,
            self._norms,
            lambda kept: (
                fits(kept, {"norms": (self.rows.count,)}) and bool(np.all(kept["norms"] >= 0))
            ),
        )
        return kept["norms"]

    def _norms(self) -> Arrays:
        """Derive the norms; say whose rows are damaged."""
        try:
            return {"norms": self.rows.norms()}
        except CheckpointError as error:
            raise CheckpointError(f"{self.path}: {self.tensor!r}: {error}") from error

    @cached_property
    def index(self) -> MappedIndex:
        """FAISS over the rows in place; float64 rows are rounded to float32 in the store."""
        longest = float(self.norms_V.max())
        if self.rows.dtype != "F64":
            return MappedIndex(self.rows, longest=longest)
        kept = self.store.arrays(
            "float32",
            self.key,
            lambda: {"rows": self.rows.codes_VD.astype(np.float32)},
            lambda kept: fits(kept, {"rows": self.rows.codes_VD.shape}, np.float32),
        )
        return MappedIndex(Rows(kept["rows"], "F32"), longest=longest, rounded=True)

    def logits(self, hidden: ArrayLike) -> NDArray[np.float64]:
        """Give the logits that the model would: softcap(scale · (W h + b)).

        Rows are decoded block by block, so no copy of the head is ever held. Padding has logits
        too, as it has in the model.

        Parameters
        ----------
        hidden : array_like
            Shape (N, D) or (D,): what meets the rows, after the final norm, as the last of
            transformers' ``hidden_states``.

        Returns
        -------
        ndarray of float64
            Shape (N, V), or (V,) for one vector.

        Raises
        ------
        UsageError
            They are no such vectors, or hold NaN or infinity (see `as_vectors`).
        CheckpointError
            A row of the head holds NaN or infinity.

        Examples
        --------
        >>> head = Unembedding.open("demo")
        >>> head.logits(np.zeros(640)).shape
        (262144,)
        """
        hidden_ND = as_vectors(hidden, width=self.rows.width, what="the hidden state")
        logits_NV = np.empty((len(hidden_ND), self.rows.count))
        blocks = self.rows.blocks(np.arange(self.rows.count))
        logits_NV = self._logits(hidden_ND, blocks, logits_NV)
        return logits_NV if np.ndim(hidden) == 2 else logits_NV[0]

    def single_logits(self, hidden_ND: NDArray[np.float64]) -> NDArray[np.float32]:
        """Give what `logits` gives of many vectors in ``float32``: sooner, with fewer digits.

        Raises
        ------
        CheckpointError
            A row of the head holds NaN or infinity.

        Examples
        --------
        >>> head = Unembedding.open("demo")
        >>> head.single_logits(np.zeros((2, 640))).dtype
        dtype('float32')
        """
        logits_NV = np.empty((len(hidden_ND), self.rows.count), dtype=np.float32)
        return self._logits(hidden_ND.astype(np.float32), self.rows.single_blocks(), logits_NV)

    def _logits(
        self,
        hidden_ND: NDArray[Real],
        blocks: Iterable[tuple[slice, NDArray[Real]]],
        logits_NV: NDArray[Real],
    ) -> NDArray[Real]:
        """Fill in the products with all rows, and make logits of them."""
        with np.errstate(invalid="ignore", over="ignore"):  # judged below
            for places, block_ND in blocks:
                np.matmul(hidden_ND, block_ND.T, out=logits_NV[:, places])
            if self.bias_V is not None:
                logits_NV += self.bias_V
        if not np.isfinite([logits_NV.min(initial=0), logits_NV.max(initial=0)]).all():
            bad = np.argwhere(~np.isfinite(logits_NV))
            raise CheckpointError(
                f"{self.path}: the logit of row {bad[0, 1]} of {self.tensor!r} is not finite: the "
                "row holds NaN or infinity, or values too large to multiply"
            )
        return self.emitted(logits_NV)  # after the check: a cap would hide an infinity

    def emitted(self, products: NDArray[Real]) -> NDArray[Real]:
        """Give the logits that the sampler gets of products with the rows, bias included.

        They are scaled, then capped.

        Examples
        --------
        >>> Unembedding.open("demo").emitted(np.array([3.0]))
        array([3.])
        """
        scaled = products if self.scale == 1 else products * self.scale
        if self.softcap is not None:
            scaled = np.tanh(scaled / self.softcap) * self.softcap
        return np.asarray(scaled, dtype=products.dtype)

    def __repr__(self) -> str:
        """Name the tensor, its shape and type."""
        shape = f"{self.rows.count:,} x {self.rows.width:,} {self.rows.dtype}"
        tied = ", tied" if self.tied else ""
        return f"{type(self).__name__}({self.source!r}, {self.tensor}, {shape}{tied})"
