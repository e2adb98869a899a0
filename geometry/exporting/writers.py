"""Vectors in the formats of other programs, written a block at a time."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ...indexes.tensors import header_of
from ..tokens.tokenizer import Packed
from .vectors import Vectors

# N vectors of width D.

_GROUP_VALUES = 1 << 22  # of a group of rows in Parquet: 16 MiB
_ABOUT = "unembed"  # the key of what the vectors are, as JSON


def write_array(file: IO[bytes], vectors: Vectors) -> None:
    """Write a .npy file: an array of float32, shape (N, D), and nothing else.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> write_array(file, Vectors(["sea"], 2, iter([(slice(1), np.ones((1, 2), np.float32))])))
    >>> _ = file.seek(0)
    >>> np.load(file)
    array([[1., 1.]], dtype=float32)
    """
    about = {"descr": "<f4", "fortran_order": False, "shape": vectors.shape}
    np.lib.format.write_array_header_1_0(file, about)
    for _, block_ND in vectors.blocks:
        file.write(_bytes(block_ND))


def write_tensors(file: IO[bytes], vectors: Vectors, about: Mapping[str, Any]) -> None:
    """Write a safetensors file.

    Its tensors: ``vectors`` of float32, shape (N, D); of tokens ``ids`` of int64, shape (N,); the
    names in UTF-8 end to end as ``names`` of uint8, and where each begins and the last ends as
    ``name_starts`` of int64, shape (N + 1,).

    Parameters
    ----------
    file : binary file
        Where to.
    vectors : Vectors
        What is written.
    about : mapping
        What they are, which the header holds as JSON under ``unembed``.

    Examples
    --------
    >>> import io
    >>> from safetensors.numpy import load
    >>> file, vectors = io.BytesIO(), iter([(slice(1), np.ones((1, 2), np.float32))])
    >>> write_tensors(file, Vectors(["sea"], 2, vectors), {"space": "causal"})
    >>> load(file.getvalue())["names"].tobytes()
    b'sea'
    """
    packed = Packed.of([_utf8(name) for name in vectors.names])
    arrays = {} if vectors.ids_N is None else {"ids": ("I64", vectors.ids_N.astype("<i8"))}
    arrays["name_starts"] = ("I64", packed.starts.astype("<i8"))
    last = ("U8", packed.data)
    sizes = {name: (dtype, array.shape, array.nbytes) for name, (dtype, array) in arrays.items()}
    sizes["vectors"] = ("F32", vectors.shape, 4 * vectors.shape[0] * vectors.shape[1])
    sizes["names"] = (last[0], last[1].shape, last[1].nbytes)
    file.write(header_of(sizes, {_ABOUT: json.dumps(about)}))
    for _, array in arrays.values():
        file.write(array.tobytes())
    for _, block_ND in vectors.blocks:
        file.write(_bytes(block_ND))
    file.write(packed.data.tobytes())


def write_parquet(file: IO[bytes], vectors: Vectors, about: Mapping[str, Any]) -> None:
    """Write a Parquet file, a row for each vector.

    Its columns: of tokens ``id``, ``token`` and ``text`` (null for a fragment of a character), of
    concepts ``expression``; and ``vector``, a list of D float32.

    Parameters
    ----------
    file : binary file
        Where to.
    vectors : Vectors
        What is written.
    about : mapping
        What they are, which the schema's metadata holds as JSON under ``unembed``.

    Examples
    --------
    >>> import io
    >>> from pyarrow.parquet import read_table
    >>> file, vectors = io.BytesIO(), iter([(slice(1), np.ones((1, 2), np.float32))])
    >>> write_parquet(file, Vectors(["sea"], 2, vectors), {"space": "causal"})
    >>> read_table(file).to_pylist()
    [{'expression': 'sea', 'vector': [1.0, 1.0]}]
    """
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    columns: dict[str, Any] = {"expression": pyarrow.string()}
    if vectors.ids_N is not None:
        columns = {"id": pyarrow.int64(), "token": pyarrow.string(), "text": pyarrow.string()}
    kind = pyarrow.list_(pyarrow.float32(), vectors.width)
    schema = pyarrow.schema({**columns, "vector": kind}, metadata={_ABOUT: json.dumps(about)})
    # Bytes of the same weight side by side: numbers that were bfloat16 take as little again.
    writer = ParquetWriter(
        file,
        schema,
        compression="zstd",
        use_dictionary=False,
        write_statistics=["id"],
        use_byte_stream_split=["vector.list.element"],
    )
    with writer:
        for places, group_ND in _groups(vectors):
            flat = pyarrow.array(group_ND.ravel())
            named = [_utf8(name).decode() for name in vectors.names[places]]
            values: list[Any] = [named]
            if vectors.ids_N is not None and vectors.texts is not None:
                values = [vectors.ids_N[places], named, vectors.texts[places]]
            arrays = [*values, pyarrow.FixedSizeListArray.from_arrays(flat, vectors.width)]
            writer.write_table(pyarrow.table(arrays, schema=schema))


def write_text(file: IO[bytes], vectors: Vectors, words: Sequence[str]) -> None:
    r"""Write word2vec's text: a line of counts, then for each vector its word and its numbers.

    Numbers have as many digits as tell float32 values apart.

    Examples
    --------
    >>> import io
    >>> file, vectors = io.BytesIO(), iter([(slice(1), np.ones((1, 2), np.float32) / 3)])
    >>> write_text(file, Vectors(["sea"], 2, vectors), ["sea"])
    >>> file.getvalue()
    b'1 2\nsea 0.33333334 0.33333334\n'
    """
    import pyarrow
    from pyarrow import compute

    file.write(_counts(vectors))
    for places, block_ND in vectors.blocks:
        numbers = compute.cast(pyarrow.array(block_ND.ravel()), pyarrow.string())
        starts = np.arange(0, block_ND.size + 1, vectors.width, dtype=np.int32)
        joined = compute.binary_join(pyarrow.ListArray.from_arrays(starts, numbers), " ")
        lines = joined.cast(pyarrow.binary()).to_pylist()
        file.write(_rows(words[places], lines))


def write_binary(file: IO[bytes], vectors: Vectors, words: Sequence[str]) -> None:
    r"""Write word2vec's binary: a line of counts, then each word, a space, float32s, a line end.

    Examples
    --------
    >>> import io
    >>> file, vectors = io.BytesIO(), iter([(slice(1), np.ones((1, 2), np.float32))])
    >>> write_binary(file, Vectors(["sea"], 2, vectors), ["sea"])
    >>> file.getvalue()
    b'1 2\nsea \x00\x00\x80?\x00\x00\x80?\n'
    """
    file.write(_counts(vectors))
    for places, block_ND in vectors.blocks:
        file.write(_rows(words[places], map(_bytes, block_ND)))


def _rows(words: Sequence[str], rows: Iterable[bytes]) -> bytes:
    """Give words, each with a space and its row behind it."""
    pairs = zip(words, rows, strict=True)
    return b"".join(b"%b %b\n" % (word.encode(), row) for word, row in pairs)


def _counts(vectors: Vectors) -> bytes:
    """Give word2vec's first line."""
    return b"%d %d\n" % vectors.shape


def _bytes(values: NDArray[np.float32]) -> bytes:
    """Give values as the little-endian float32 that all of these formats have."""
    return values.astype("<f4", copy=False).tobytes()


def _utf8(name: str) -> bytes:
    """Encode a name; half a pair, which is no UTF-8, is written by its number."""
    return name.encode(errors="backslashreplace")


def _groups(vectors: Vectors) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Join blocks to groups that are large enough for Parquet."""
    held: list[NDArray[np.float32]] = []
    start = count = 0
    for places, block_ND in vectors.blocks:
        held.append(block_ND)
        count += len(block_ND)
        if count * vectors.width >= _GROUP_VALUES or places.stop >= vectors.shape[0]:
            yield slice(start, start + count), np.concatenate(held)
            held, start, count = [], start + count, 0
