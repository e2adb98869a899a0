"""A lens: what a model would write if each of its layers were the last."""

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from ..explaining.pursuit import Part
from ..frames import arrow_of, pandas_of
from ..model.repeating import Written
from ..projection.map import Map
from ..tokens.vocabulary import display
from .inline import inline_table

if TYPE_CHECKING:
    import pandas
    import pyarrow

SCHEMA = 1


@dataclass(frozen=True)
class Guess:
    """A token that the head makes of a layer.

    Attributes
    ----------
    rank : int
        From 1; of equal logits the lower id comes first.
    id : int
        Of the token.
    token : str
        The vocabulary's own string.
    text : str or None
        What it writes; None for a fragment of a character.
    logit : float
        As the sampler gets it: scaled and capped as the model has it.
    probability : float
        Of being written, were this layer the last.
    becomes : str or None
        What its bytes, after those that were read before it, are the start of; None where they end
        with a character.

    Examples
    --------
    >>> Guess(1, 7, "▁sea", " sea", 12.5, 0.9).text
    ' sea'
    """

    rank: int
    id: int
    token: str
    text: str | None
    logit: float
    probability: float
    becomes: str | None = None


@dataclass(frozen=True)
class Layer:
    """What the head makes of the residual after one layer.

    Attributes
    ----------
    layer : int
        0 for what leaves the embedding; the last is the model's own output.
    top : tuple of Guess
        The first tokens.
    entropy : float
        Of the whole distribution, in nats.
    kl : float
        KL(last layer ‖ this one), in nats.
    tracked : tuple of Guess
        The tokens that are followed, in the order of the position's `tracked`.
    cosines : tuple of float
        Of the residual with the lens's `concepts`, in its space.
    parts : tuple of Part
        The residual as a sum of a few rows, where it was asked for.

    Examples
    --------
    >>> Layer(13, (Guess(1, 7, "▁sea", " sea", 12.5, 0.9),), 0.4, 3.1, ()).top[0].token
    '▁sea'
    """

    layer: int
    top: tuple[Guess, ...]
    entropy: float
    kl: float
    tracked: tuple[Guess, ...]
    cosines: tuple[float, ...] = ()
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Position:
    """A place in the sequence, and what each layer holds there.

    Attributes
    ----------
    position : int
        From 0.
    token_id : int or None
        The token that is read there; None where it is not known.
    token : str or None
        Its string in the vocabulary.
    text : str or None
        What it writes.
    written : bool
        Whether the model wrote it itself.
    layers : tuple of Layer
        From the embedding to the model's own output.

    Examples
    --------
    >>> Position(4, None, None, None, False, ()).position
    4
    """

    position: int
    token_id: int | None
    token: str | None
    text: str | None
    written: bool
    layers: tuple[Layer, ...]


@dataclass(frozen=True, repr=False)
class Lens:
    """What a model's layers hold, read through its head (nostalgebraist 2020, *logit lens*).

    Attributes
    ----------
    source : str
        The head.
    prompt, text : str or None
        What the model read, and what it wrote then.
    norm : str or None
        The final norm that every layer passes: ``rms`` or ``layer``; None where none is applied.
    softcap : float or None
        The bound of the logits, where the model has one.
    scale : float
        What products are multiplied by.
    bias : bool
        Whether the head has a bias.
    positions : tuple of Position
        In their order.
    space : str or None
        Where residuals are compared with concepts and written as sums of rows, mapped there in the
        dual way, as what meets the rows; None where they are not.
    concepts : tuple of str
        The expressions that they are compared with.
    chance : float or None
        What sums of as many rows explain of vectors that mean nothing, where residuals are written
        as sums.
    runs : int
        How often the prompt was repeated.
    written : tuple of Written
        What the model wrote then, the commonest first.
    map : Map or None
        Of a region, with a path for each position, of a step for each layer, where that was asked
        for.

    Examples
    --------
    >>> place = Position(0, None, None, None, False, (Layer(0, (), 0.4, 0.0, ()),))
    >>> Lens("demo", "sea", None, "rms", None, 1.0, False, (place,))
    Lens(demo: 1 layers, 1 positions)
    """

    source: str
    prompt: str | None
    text: str | None
    norm: str | None
    softcap: float | None
    scale: float
    bias: bool
    positions: tuple[Position, ...]
    space: str | None = None
    concepts: tuple[str, ...] = ()
    chance: float | None = None
    runs: int = 0
    written: tuple[Written, ...] = ()
    map: Map | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give it as the object that ``--json`` prints: followed tokens by their strings."""
        drawn = None if self.map is None else self.map.to_dict()
        given = {"schema": SCHEMA, **asdict(replace(self, map=None)), "map": drawn}
        for position in given["positions"]:
            for layer in position["layers"]:
                layer["tracked"] = {guess["token"]: guess for guess in layer["tracked"]}
                layer["cosines"] = dict(zip(self.concepts, layer["cosines"], strict=True))
        return given

    def to_arrow(self) -> "pyarrow.Table":
        """Give an Arrow table with a row for each layer, position and token.

        Its column ``part`` is ``top`` or ``tracked``.
        """
        return arrow_of(self._rows())

    def to_pandas(self) -> "pandas.DataFrame":
        """Give the same as a data frame.

        Raises
        ------
        MissingExtraError
            pandas is not installed.
        """
        return pandas_of(self._rows())

    def _rows(self) -> list[dict[str, Any]]:
        """Give a row for each guess."""
        return [
            {"position": place.position, "read": place.token, "written": place.written}
            | {"layer": layer.layer, "entropy": layer.entropy, "kl": layer.kl, "part": part}
            | asdict(guess)
            for place in self.positions
            for layer in place.layers
            for part, guesses in (("top", layer.top), ("tracked", layer.tracked))
            for guess in guesses
        ]

    def __repr__(self) -> str:
        """Name the sizes."""
        layers = len(self.positions[0].layers)
        return f"Lens({display(self.source)}: {layers} layers, {len(self.positions)} positions)"

    def _repr_html_(self) -> str:
        """Draw it for a notebook; every token is escaped."""
        return inline_table(self)
