"""The head as users hold it: an unembedding and the questions that it answers."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ..indexes.progress import Progress
from .answer import Neighbours
from .concepts.compose import Composition, composer_of
from .concepts.saved import save
from .head_vectors import HeadVectors
from .info import Info, describe
from .method import METHODS
from .neighbours import Options, Query, nearest
from .space import DEFAULT_SPACE

if TYPE_CHECKING:
    from ..explorer.inline import Explorer
    from .audit.audit import Audit
    from .audit.settings import AuditOptions
    from .comparing.compare import CompareOptions
    from .comparing.comparison import Comparison
    from .evaluation.directions import DirectionScore
    from .evaluation.evaluate import Evaluation
    from .examining.health import Health
    from .explaining.explain import ExplainOptions
    from .explaining.explanation import Explanation
    from .heads.unembedding import Unembedding
    from .lens.ask import LensOptions
    from .lens.lens import Lens
    from .model.residuals import Residuals
    from .projection.map import Map
    from .projection.project import MapOptions
    from .records.record import Record


class Head(HeadVectors):
    """A model's last matrix and the questions that can be asked of it.

    Examples
    --------
    >>> import unembed
    >>> head = unembed.open_head("demo")
    >>> head
    Head('demo', model.embed_tokens.weight, 262,144 x 640 BF16, tied)
    >>> head.nearest("king - man + woman", top=1).neighbours[0].text
    ' queen'
    """

    def nearest(self, query: Query, **options: Unpack[Options]) -> Neighbours:
        """Find the tokens that lie closest to a concept, exactly.

        Parameters
        ----------
        query : str, Concept, array_like or sequence of (key, weight)
            An expression; a concept; a residual of shape (D,), which is what meets the rows, after
            the final norm; or weighted keys as gensim takes them, each a name, a token id or a
            residual.
        **options
            Those of `Options`: ``score``, ``region``, ``exclude_region``, ``top``,
            ``keep_inputs``, ``residual_norm``, ``temperature``, ``track``; and of `Composition`.

        Returns
        -------
        Neighbours
            By descending score, equal scores by ascending id; without the tokens that the query
            names.

        Raises
        ------
        UsageError
            The query or an option is wrong.

        Examples
        --------
        >>> import unembed
        >>> head = unembed.open_head("demo")
        >>> [near.text for near in head.nearest("sea + horse", region="emoji", top=3).neighbours]
        ['🐎', '🐴', '🏇']
        """
        return nearest(self, [query], **options)[0]

    def nearest_each(
        self, queries: Sequence[Query], **options: Unpack[Options]
    ) -> list[Neighbours]:
        """Answer several queries in one pass, as `nearest` answers one.

        Examples
        --------
        >>> import unembed
        >>> head = unembed.open_head("demo")
        >>> [near.snap.token for near in head.nearest_each(["sea", "horse"])]
        ['▁sea', '▁horse']
        """
        return nearest(self, queries, **options)

    def direction(self, name: str, **options: Unpack[Composition]) -> "DirectionScore":
        """Judge a direction: each pair left out in turn, beside the same words paired at random.

        Parameters
        ----------
        name : str
            A built-in direction, or one of ``directions``.
        **options
            As in `concept`.

        Raises
        ------
        UsageError
            There is no such direction, this head has tokens for too few of its pairs, or an option
            is wrong.

        Examples
        --------
        >>> import unembed
        >>> unembed.open_head("demo").direction("past").estimator
        'offset'
        """
        from .evaluation.directions import judge  # a query needs none of it

        return judge(composer_of(self, **options), name, progress=options.get("progress"))

    def direction_names(self, **options: Unpack[Composition]) -> tuple[str, ...]:
        """Give the names of the directions in ``directions``, or else of the built-in ones.

        Examples
        --------
        >>> import unembed
        >>> "plural" in unembed.open_head("demo").direction_names()
        True
        """
        known = composer_of(self, **options).directions
        return tuple(known.given) or known.names

    def save_direction(self, name: str, path: str | Path, **options: Unpack[Composition]) -> None:
        """Write what was learned of a direction to a ``.safetensors`` file.

        It is read again as ``directions``, on the same head in the same space.

        Raises
        ------
        UsageError
            As in `direction`, or the file cannot be written.

        Examples
        --------
        >>> import tempfile, unembed
        >>> head, path = unembed.open_head("demo"), Path(tempfile.mkdtemp(), "past.safetensors")
        >>> head.save_direction("past", path)
        >>> head.nearest("past(walk)", directions=path, top=1).neighbours[0].text
        ' walked'
        """
        composer = composer_of(self, **options)
        save(Path(path), composer.space, composer.directions.learned(name))

    def evaluate(
        self,
        *,
        spaces: Sequence[str] = (DEFAULT_SPACE,),
        methods: Sequence[str] = METHODS,
        questions: str | Path | None = None,
        with_model: bool = False,
        progress: Progress | None = None,
    ) -> "list[Evaluation]":
        """Measure how far answers can be trusted, in each space by each method.

        Parameters
        ----------
        spaces, methods, questions, with_model, progress
            As in `evaluate`.

        Raises
        ------
        UsageError
            A space or a method is unknown, or a file cannot be read.

        Examples
        --------
        >>> import unembed
        >>> (found,) = unembed.open_head("demo-bytes").evaluate(methods=["plain"])
        >>> found.pieces.weightings["rarity"].mrr > found.pieces.weightings["mean"].mrr
        True
        """
        from .evaluation.evaluate import evaluate

        return evaluate(
            self,
            spaces=spaces,
            methods=methods,
            questions=questions,
            with_model=with_model,
            progress=progress,
        )

    def audit(
        self,
        concepts: "Iterable[str | Record | Mapping[str, object]]",
        **options: "Unpack[AuditOptions]",
    ) -> "Audit":
        """Say of each concept whether the head has a token for it, and if not, what becomes of it.

        Parameters
        ----------
        concepts : iterable of str, Record or mapping
            Words, phrases and expressions; or mappings with ``concept`` and, if wanted, ``id``,
            ``forms`` (how it is written) and ``expected`` (its token).
        **options
            Those of `AuditOptions`: ``region``, ``direction``, ``top``, ``residual_norm``,
            ``min_membership``, ``min_p_token``, ``device``; and of `Composition`.

        Raises
        ------
        UsageError
            An option is wrong. What is wrong with one concept is its finding.

        Examples
        --------
        >>> import unembed
        >>> (found,) = unembed.open_head("demo").audit(["sea + horse"], region="emoji").findings
        >>> found.verdict, found.nearest[0].text, found.snap_text
        ('phantom', '🐴', '🐴')
        """
        from .audit.audit import audit  # a query needs none of it

        return audit(self, concepts, **options)

    def map(self, **options: "Unpack[MapOptions]") -> "Map":
        """Lay a neighbourhood of the head out by UMAP, and mark concepts on it.

        Parameters
        ----------
        **options
            Those of `MapOptions`, ``region``, ``around``, ``marks`` and others; and of
            `Composition`.

        Raises
        ------
        UsageError
            An option or an expression is wrong.

        Examples
        --------
        >>> import unembed
        >>> found = unembed.open_head("demo").map(region="emoji", marks=["emoji(seahorse)"])
        >>> found.points.texts[found.marks[0].snap]
        '🐴'
        """
        from .projection.project import project  # a query needs none of it

        return project(self, **options)

    def lens(self, prompt: "str | Residuals", **options: "Unpack[LensOptions]") -> "Lens":
        """Say what each layer of the model would write, were it the last (the logit lens).

        Parameters
        ----------
        prompt : str or Residuals
            What the model reads, which transformers runs; or its residuals, which need no model.
        **options
            Those of `LensOptions`: ``top``, ``track``, ``normed``; and of a prompt
            ``positions``, ``generate``, ``temperature``, ``seed``, ``chat``, ``start``.

        Raises
        ------
        UsageError
            An option is wrong, or the residuals are of another width.
        SourceError
            The source is no model that transformers can run.
        MissingExtraError
            transformers is not installed.

        Examples
        --------
        >>> import unembed
        >>> found = unembed.open_head("demo").lens("Here is a seahorse emoji:", generate=1)
        >>> found
        Lens(demo: 19 layers, 2 positions)
        """
        from .lens.ask import lens  # a query needs none of it

        return lens(self, prompt, **options)

    def explain(self, query: Query, **options: "Unpack[ExplainOptions]") -> "Explanation":
        """Say what a row, or a composed vector, is made of, and what is known of its token.

        Parameters
        ----------
        query : str, Concept, array_like or sequence of (key, weight)
            As in `nearest`.
        **options
            Those of `ExplainOptions`: ``parts``, ``among``, ``method``, ``signed``, ``top``; and
            of `Composition`.

        Raises
        ------
        UsageError
            The query or an option is wrong, or the vector is zero.

        Examples
        --------
        >>> import unembed
        >>> unembed.open_head("demo").explain("queen", parts=2).equation()
        '▁king + female'
        """
        from .explaining.explain import explain  # a query needs none of it

        return explain(self, query, **options)

    def compare(self, other: "Unembedding", **options: "Unpack[CompareOptions]") -> "Comparison":
        """Say how alike another head is, and which tokens and regions have moved most.

        Parameters
        ----------
        other : Unembedding
            The other, of any width and vocabulary.
        **options
            Those of `CompareOptions`: ``region``, ``top``, ``space``, ``progress``.

        Raises
        ------
        UsageError
            An option is wrong, or the two have fewer than two tokens in common.

        Examples
        --------
        >>> import unembed
        >>> head = unembed.open_head("demo-bytes")
        >>> head.compare(head)
        Comparison(demo-bytes, demo-bytes: 50,364 tokens, residual 0.000, CKA 1.000)
        """
        from .comparing.compare import compare  # a query needs none of it

        return compare(self, other, **options)

    def examine(
        self,
        *,
        writable: bool = False,
        residuals: "Residuals | None" = None,
        progress: Progress | None = None,
    ) -> "Health":
        """Say what each token of the vocabulary is, and which are odd.

        Parameters
        ----------
        writable : bool
            Decide too for every token whether any residual writes it: long the first time.
        residuals : Residuals, optional
            What a model had: which tokens come near the top with these?
        progress : callable, optional
            Is told ``(step, done, total)``.

        Raises
        ------
        VocabularyError
            The tokenizers library cannot encode by this tokenizer.
        UsageError
            The residuals are of another width than the rows.

        Examples
        --------
        >>> import unembed
        >>> unembed.open_head("demo-bytes").examine().kinds()["byte"]
        128
        """
        from .examining.examine import examine  # a query needs none of it

        return examine(self, writable=writable, residuals=residuals, progress=progress)

    def explore(self, *others: "Unembedding", height: int = 800) -> "Explorer":
        """Serve a page on which this head is explored, shown in a notebook, until it is stopped.

        Parameters
        ----------
        *others, height
            As in `explore`, which says what is refused too.

        Examples
        --------
        >>> import unembed
        >>> with unembed.open_head("demo-bytes").explore() as explorer:
        ...     explorer.address[:17]
        'http://127.0.0.1:'
        """
        from ..explorer.inline import explore  # a query needs none of it

        return explore([self, *others], height=height)

    def info(self) -> Info:
        """Say what was found in the source.

        Examples
        --------
        >>> import unembed
        >>> unembed.open_head("demo").info().shape
        (262144, 640)
        """
        return describe(self)
