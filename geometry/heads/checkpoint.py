"""The files of a checkpoint: a configuration, and tensors in one file or several."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import CheckpointError
from ...indexes.jsonfile import read_json
from ...indexes.rows import ROW_TYPES, Rows
from ...indexes.tensors import TensorEntry, TensorFile, Tensors
from ..remote.answers import NotThere
from ..remote.mirror import CONFIG, CONFIG_LIMIT, Mirror

WEIGHTS = "model.safetensors"
INDEX = f"{WEIGHTS}.index.json"
_INDEX_LIMIT = 64 << 20
_SUFFIX = ".safetensors"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A checkpoint, opened: its names are known, and a file is opened when a tensor of it is used.

    Attributes
    ----------
    path : Path
        What names the tensors: the one file, or the index of several.
    config : mapping
        The content of ``config.json``; empty where a single file has none beside it.
    config_path : Path
        Where that is or would be.
    files : mapping of str to Path
        The file of every tensor, by the tensor's name.
    elsewhere : frozenset of str
        The model's tensors that are in none of these files, as the index beside says, where `path`
        is one shard of several.

    Examples
    --------
    >>> import tempfile
    >>> from safetensors.numpy import save_file
    >>> path = Path(tempfile.mkdtemp()) / "head.safetensors"
    >>> save_file({"lm_head.weight": np.eye(3, dtype=np.float16)}, path)
    >>> checkpoint = Checkpoint.open(path)
    >>> list(checkpoint.files), checkpoint.entry("lm_head.weight").shape
    (['lm_head.weight'], (3, 3))
    """

    path: Path
    config: Mapping[str, Any]
    config_path: Path
    files: Mapping[str, Path]
    elsewhere: frozenset[str] = frozenset()
    _opened: dict[Path, Tensors] = field(default_factory=dict)
    _open: Callable[[Path], Tensors] = TensorFile.open

    @classmethod
    def open(cls, source: Path) -> "Checkpoint":
        """Open a checkpoint directory or one safetensors file.

        Parameters
        ----------
        source : Path
            A directory with ``config.json`` and ``model.safetensors``, or with shards and
            ``model.safetensors.index.json``, as transformers saves them; or a file whose name ends
            in ``.safetensors``, with or without a ``config.json`` beside it.

        Raises
        ------
        CheckpointError
            A file is missing, unreadable or damaged, or the index names a file elsewhere.
        """
        try:
            if source.suffix == _SUFFIX and source.is_file():
                return cls._of_file(source, required=False)
            if not source.is_dir():
                raise CheckpointError(_not_there(source))
            if (source / WEIGHTS).exists():
                return cls._of_file(source / WEIGHTS, required=True)
            if (source / INDEX).exists():
                return cls._of_index(source / INDEX)
            raise CheckpointError(_no_weights(source))
        except OSError as error:
            raise CheckpointError(f"{source}: not readable: {error}") from error

    @classmethod
    def remote(cls, mirror: Mirror, file: str | None) -> "Checkpoint":
        """Open a checkpoint of another host; of its tensors only the names are read.

        Parameters
        ----------
        mirror : Mirror
            What gives its files.
        file : str, optional
            The one file of tensors to take.

        Raises
        ------
        RemoteError
            A file cannot be read.
        CheckpointError
            A file is damaged, or there is none of tensors.
        """
        if file is None:
            found: Path | None = mirror.needed(CONFIG, limit=CONFIG_LIMIT, instead="a file's name")
        else:
            found = mirror.small(CONFIG, limit=CONFIG_LIMIT)
        config = {} if found is None else _config(found)
        config_path = found or mirror.directory / CONFIG
        index = None if file else _remote_index(mirror)
        if index is not None:
            files = {name: mirror.directory / shard for name, shard in _weight_map(index).items()}
            return cls(index, config, config_path, files, _open=mirror.open_tensors)
        path = mirror.directory / (file or WEIGHTS)
        tensors = mirror.open_tensors(path)
        beside = mirror.small(INDEX, limit=_INDEX_LIMIT) if file else None
        elsewhere = frozenset() if beside is None else _elsewhere(path, beside)
        files = dict.fromkeys(tensors.entries, path)
        return cls(
            path, config, config_path, files, elsewhere, {path: tensors}, mirror.open_tensors
        )

    @classmethod
    def _of_file(cls, path: Path, *, required: bool) -> "Checkpoint":
        """Open one file; its configuration may be missing unless it is required."""
        config_path = path.parent / CONFIG
        config = _config(config_path) if required or config_path.exists() else {}
        file = TensorFile.open(path)
        files = dict.fromkeys(file.entries, path)
        index = path.parent / INDEX
        elsewhere = frozenset() if required or not index.exists() else _elsewhere(path, index)
        return cls(path, config, config_path, files, elsewhere, {path: file})

    @classmethod
    def _of_index(cls, path: Path) -> "Checkpoint":
        """Read which shard holds which tensor; none is opened."""
        config_path = path.parent / CONFIG
        config = _config(config_path)
        files = {name: path.parent / shard for name, shard in _weight_map(path).items()}
        return cls(path, config, config_path, files)

    def file(self, name: str) -> Tensors:
        """Open the file that holds a tensor.

        Raises
        ------
        CheckpointError
            The file is missing or damaged, or does not hold what the index says.
        """
        path = self.files[name]
        if path not in self._opened:
            self._opened[path] = self._open(path)
        if name not in self._opened[path].entries:
            raise CheckpointError(f"{path}: no tensor {name!r}, which {self.path.name} says it has")
        return self._opened[path]

    def entry(self, name: str) -> TensorEntry:
        """Give a tensor's type and shape."""
        return self.file(name).entries[name]

    def may_be_matrix(self, name: str) -> bool:
        """Tell whether a tensor has two axes, as far as the files that are open say."""
        opened = self._opened.get(self.files[name])
        return opened is None or name not in opened.entries or len(opened.entries[name].shape) == 2

    def vector(self, name: str, size: int) -> NDArray[np.float64]:
        """Give a tensor of so many values, ``float64`` of shape (size,).

        Raises
        ------
        CheckpointError
            It has another number of values or another type, or one of them is not finite.
        """
        file, entry = self.file(name), self.entry(name)
        if entry.shape not in {(size,), (1, size)} or entry.dtype not in ROW_TYPES:
            raise CheckpointError(
                f"{file.path}: tensor {name!r} is {entry.dtype} of shape {entry.shape}; "
                f"({size},) is expected, of {', '.join(ROW_TYPES)}"
            )
        codes_1D = file.array(name).reshape(1, size)
        values: NDArray[np.float64] = Rows(codes_1D, entry.dtype).decode(slice(None))[0]
        if not np.isfinite(values).all():
            raise CheckpointError(f"{file.path}: tensor {name!r} holds NaN or infinity")
        return values


def _remote_index(mirror: Mirror) -> Path | None:
    """Give the index of a checkpoint of several files; None for one of one."""
    index = mirror.here(INDEX)
    if index is not None or mirror.here(WEIGHTS) is not None:
        return index
    try:
        mirror.open_tensors(mirror.directory / WEIGHTS)
    except NotThere as error:
        index = mirror.small(INDEX, limit=_INDEX_LIMIT)
        if index is None:
            raise NotThere(
                f"{error}, and no {INDEX}: its weights may be pickled, which can run code and is "
                f"never read, or have another name: give it, as in hf://organisation/model/file{_SUFFIX}"
            ) from error
    return index


def _config(path: Path) -> dict[str, Any]:
    """Read the configuration."""
    return read_json(path, limit=CONFIG_LIMIT)


def _weight_map(path: Path) -> dict[str, str]:
    """Read which shard holds which tensor."""
    shards = read_json(path, limit=_INDEX_LIMIT).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise CheckpointError(f"{path}: it has no weight_map from tensors to files")
    for name, shard in shards.items():
        if not isinstance(shard, str) or not _is_plain(shard):
            raise CheckpointError(
                f"{path}: tensor {name!r} is said to be in {shard!r}; the name of a file in "
                "the same directory is expected"
            )
    return shards


def _elsewhere(path: Path, index: Path) -> frozenset[str]:
    """Give the tensors that the other shards hold, where the index lists the file."""
    shards = _weight_map(index)
    if path.name not in shards.values():
        return frozenset()
    return frozenset(name for name, shard in shards.items() if shard != path.name)


def _is_plain(name: str) -> bool:
    """Tell whether a name is of a file in the directory itself, on every system."""
    return name.isprintable() and name not in {"", ".", ".."} and not set(name) & set("/\\:")


def _not_there(source: Path) -> str:
    """Say that a source is nothing that can be opened."""
    what = f"not a {_SUFFIX} file" if source.exists() else "no such checkpoint directory"
    return (
        f"{source}: {what}; give a directory with {CONFIG}, {WEIGHTS} "
        f"and tokenizer.json, a {_SUFFIX} file, or one of the demos: demo, demo-bytes"
    )


def _no_weights(directory: Path) -> str:
    """Say that a directory has no safetensors, and what to do."""
    if any(directory.glob("pytorch_model*.bin")):
        return (
            f"{directory}: its weights are pickled (pytorch_model.bin), which can run code and is "
            f"never read; load them with transformers and save them with save_pretrained, which "
            f"writes {WEIGHTS}"
        )
    others = sorted(path.name for path in directory.glob(f"*{_SUFFIX}"))
    named = f"; name one of its files: {', '.join(map(repr, others[:20]))}" if others else ""
    return f"{directory}: neither {WEIGHTS} nor {INDEX} is there{named}"
