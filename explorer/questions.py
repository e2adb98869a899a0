"""What the explorer can be asked: each question's words, their bounds and their defaults."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ..geometry.concepts.compose import Composition
from ..geometry.space import DEFAULT_SPACE
from ..indexes.progress import Progress

# Bounds of one question; the library has its own beside them.
LONGEST_EXPRESSION = 2_000  # characters
LONGEST_PROMPT = 20_000
MOST_CONCEPTS = 50_000  # of one audit
MOST_NEIGHBOURS = 1_000


def _whole(value: Any) -> Any:
    """Read 3.0 as 3: in JSON both are the same number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_WHOLE = BeforeValidator(_whole)  # after a field's bounds, which its description has then
Source = Annotated[str, Field(max_length=4_096, description="The name of a source, as served.")]
Expression = Annotated[
    str, Field(max_length=LONGEST_EXPRESSION, description="What is composed: `king - man + woman`.")
]
Region = Annotated[
    str | None,
    Field(
        max_length=500,
        description="Which tokens: emoji, words, bytes, a script such as greek, or a regular "
        "expression; null for all.",
    ),
]
Space = Annotated[
    str,
    Field(
        max_length=60,
        description="The geometry: causal, centred, cosine or logit; causal:oas, causal:0.1 or "
        "causal:floor=0.01 shrink it otherwise.",
        examples=["causal", "centred", "cosine", "logit"],
    ),
]
Name = Annotated[str, Field(max_length=LONGEST_EXPRESSION)]
File = Annotated[
    str,
    Field(pattern=r"^[0-9a-f]{64}\.[a-z]{3,11}$", description="A file as `/api/file` named it."),
]


class Question(BaseModel):
    """What every question is: its words are known and of their types.

    Examples
    --------
    >>> Question.model_config["extra"]
    'forbid'
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    def options(self, *left_out: str) -> dict[str, Any]:
        """Give what was asked that is no default, by its name.

        Examples
        --------
        >>> Near(source="demo", expression="sea", top=3).options("source", "expression")
        {'top': 3}
        """
        return self.model_dump(exclude_defaults=True, exclude=set(left_out))


class Composed(Question):
    """What is composed on a head.

    Examples
    --------
    >>> Composed(source="demo").pieces
    'rarity'
    """

    source: Source
    space: Space = DEFAULT_SPACE
    pieces: Annotated[
        Literal["rarity", "mean", "sum", "first", "last", "model"],
        Field(description="How the tokens of a name count."),
    ] = "rarity"
    estimator: Annotated[
        Literal["offset", "category", "ridge", "procrustes"] | None,
        Field(description="How directions are learned; null for each in its own way."),
    ] = None
    fold_norm: Annotated[
        bool, Field(description="Multiply the final norm's gain into the rows.")
    ] = False

    def composition(self, progress: Progress) -> Composition:
        """How concepts are composed; what is derived for them tells how far it is.

        Examples
        --------
        >>> Composed(source="demo", space="logit").composition(print)["space"]
        'logit'
        """
        return {
            "space": self.space,
            "pieces": self.pieces,
            "estimator": self.estimator,
            "fold_norm": self.fold_norm,
            "progress": progress,
        }


class Near(Composed):
    """Which tokens lie closest to a concept.

    Examples
    --------
    >>> Near(source="demo", expression="sea + horse", region="emoji").top
    10
    """

    expression: Expression
    score: Annotated[
        Literal["cosine", "dot", "csls", "cosmul"] | None,
        Field(description="What is near; null for dot in logit, else cosine."),
    ] = None
    region: Region = None
    exclude_region: Region = None
    top: Annotated[int, Field(ge=1, le=MOST_NEIGHBOURS, description="How many tokens."), _WHOLE] = (
        10
    )
    keep_inputs: Annotated[
        bool, Field(description="Let the expression's own tokens into the answer.")
    ] = False
    residual_norm: Annotated[
        float | None,
        Field(ge=1e-3, le=1e9, description="Of a concept's residual: gives probabilities."),
    ] = None
    temperature: Annotated[float, Field(ge=1e-3, le=1e9, description="Divides the logits.")] = 1.0
    track: Annotated[
        tuple[Name, ...],
        Field(max_length=100, description="Tokens to follow, by their names."),
    ] = ()


class Complete(Question):
    """What could be written at a place of an expression.

    Examples
    --------
    >>> Complete(source="demo", expression="sea + hor", place=9).place
    9
    """

    source: Source
    expression: Expression
    place: Annotated[int, Field(ge=0, le=LONGEST_EXPRESSION, description="Of the cursor."), _WHOLE]


class MapOf(Composed):
    """A neighbourhood of a head, laid out.

    Examples
    --------
    >>> MapOf(source="demo").regions
    ('emoji',)
    """

    regions: Annotated[tuple[Region, ...], Field(min_length=1, max_length=8)] = ("emoji",)
    exclude_region: Region = None
    around: Annotated[Expression | None, Field(description="Only the tokens nearest to this.")] = (
        None
    )
    top: Annotated[int, Field(ge=4, le=20_000, description="How many those are."), _WHOLE] = 500
    color_by: Annotated[
        Literal["cluster", "kind", "script", "norm", "group"],
        Field(description="What colours tell."),
    ] = "cluster"


class Place(Question):
    """Where concepts lie on a map.

    Examples
    --------
    >>> Place(map=MapOf(source="demo"), expressions=("sea + horse",)).expressions
    ('sea + horse',)
    """

    map: MapOf
    expressions: Annotated[tuple[Expression, ...], Field(min_length=1, max_length=8)]


class Audit(Composed):
    """Which concepts of a list have a token.

    Examples
    --------
    >>> Audit(source="demo", concepts=("octopus",), region="emoji").min_p_token
    0.5
    """

    concepts: Annotated[
        tuple[Name, ...],
        Field(max_length=MOST_CONCEPTS, description="Words, phrases, expressions."),
    ] = ()
    list: Annotated[
        str | None,
        Field(
            max_length=100,
            description="A list that is built in, in their place: emoji:all, emoji:all:de, "
            "unicode:greek.",
        ),
    ] = None
    file: Annotated[File | None, Field(description="A list in a file, in their place.")] = None
    column: Annotated[
        str | None, Field(max_length=200, description="Of a file, which has the concepts.")
    ] = None
    region: Region = None
    direction: Annotated[
        str | None, Field(max_length=200, description="What takes a concept into the region.")
    ] = None
    top: Annotated[int, Field(ge=1, le=100, description="How many nearest tokens."), _WHOLE] = 5
    residual_norm: Annotated[float | None, Field(ge=1e-3, le=1e6)] = None
    min_membership: Annotated[float, Field(ge=0, le=1)] = 0.05
    min_p_token: Annotated[float, Field(ge=0, le=1)] = 0.5


class LensOf(Question):
    """What each layer of a model would write, were it the last.

    Examples
    --------
    >>> LensOf(source="demo", prompt="Here is a seahorse emoji:", generate=3).top
    5
    """

    source: Source
    prompt: Annotated[
        str | None, Field(max_length=LONGEST_PROMPT, description="What the model reads.")
    ] = None
    residuals: Annotated[
        File | None, Field(description="A file of residuals, in a prompt's place.")
    ] = None
    generate: Annotated[
        int, Field(ge=0, le=64, description="Tokens that the model writes."), _WHOLE
    ] = 0
    chat: Annotated[bool, Field(description="Put the prompt into the chat template.")] = False
    start: Annotated[str, Field(max_length=LONGEST_PROMPT)] = ""
    top: Annotated[int, Field(ge=1, le=50), _WHOLE] = 5
    track: Annotated[tuple[Name, ...] | None, Field(max_length=50)] = None
    concepts: Annotated[tuple[Expression, ...], Field(max_length=20)] = ()
    decompose: Annotated[int, Field(ge=0, le=16), _WHOLE] = 0
    over: Region = None
    space: Space = DEFAULT_SPACE


class Explain(Composed):
    """What a row, or a composed vector, is made of.

    Examples
    --------
    >>> Explain(source="demo", expression="queen").among
    'words'
    """

    expression: Expression
    parts: Annotated[int, Field(ge=1, le=16, description="How many terms a sum has."), _WHOLE] = 6
    among: Region = "words"
    method: Literal["omp", "lasso"] = "omp"
    signed: Annotated[bool, Field(description="Whether weights may be below 0.")] = False
    top: Annotated[int, Field(ge=1, le=100, description="How many neighbours."), _WHOLE] = 5


class Compare(Question):
    """How alike two heads are.

    Examples
    --------
    >>> Compare(source="demo", other="demo-bytes").top
    10
    """

    source: Source
    other: Source
    region: Region = None
    top: Annotated[
        int, Field(ge=1, le=1_000, description="How many tokens that moved."), _WHOLE
    ] = 10
    space: Space = DEFAULT_SPACE


class Vocab(Question):
    """What the tokens of a vocabulary are, and which are odd.

    Examples
    --------
    >>> Vocab(source="demo").source
    'demo'
    """

    source: Source
