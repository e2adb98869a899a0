"""3CosMul against gensim and against plain Python: order, ties, ranks, what it takes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gensim.models import KeyedVectors
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from unembed import open_head
from unembed.errors import ExpressionError, UsageError
from unembed.geometry.analogy import Analogy, terms_of
from unembed.indexes.exact import Measure
from unembed.indexes.rows import Rows, norm

from .helpers import ids, index_of, rows_of

Make = Callable[..., Path]
FAMILIES = ["byte_level", "sentencepiece", "unigram", "wordpiece"]
SPACES = ["logit", "cosine", "centred", "causal"]


@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`")  # by gensim itself
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("topn", [1, 10, 500])
@pytest.mark.parametrize(
    ("positive", "negative"),
    [
        (["king", "woman"], ["man"]),
        (["sea"], []),
        (["sea", "king", "sea"], ["man", "horse"]),
    ],
)
def test_it_is_gensims(
    make_checkpoint: Make, family: str, topn: int, positive: list[str], negative: list[str]
) -> None:
    head = open_head(make_checkpoint(family, dtype="F32", padding=0))
    vectors = KeyedVectors(16)
    vectors.add_vectors(
        [f"#{id_}" for id_ in range(head.rows.count)],
        head.rows.decode(slice(None)).astype(np.float32),
    )
    key = {word: f"#{head.vocabulary.id_of(f' {word}')}" for word in {*positive, *negative}}
    wanted = vectors.most_similar_cosmul(
        positive=[key[word] for word in positive],
        negative=[key[word] for word in negative],
        topn=topn,
    )
    asked = " - ".join([" + ".join(positive), *negative])
    found = head.nearest(asked, space="cosine", score="cosmul", top=topn)
    assert [f"#{near.id}" for near in found.neighbours] == [name for name, _ in wanted]
    np.testing.assert_allclose(
        [near.score for near in found.neighbours], [score for _, score in wanted], rtol=2e-5
    )
    pairs = [*((word, 1) for word in positive), *((word, -1.0) for word in negative)]
    again = head.nearest(pairs, space="cosine", score="cosmul", top=topn)
    assert again.neighbours == found.neighbours


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("region", [None, [*range(30, 60)], "emoji"])
def test_it_is_equation_4_in_every_space(make_checkpoint: Make, space: str, region: Any) -> None:
    head = open_head(make_checkpoint(padding=4))
    options: dict[str, Any] = {"space": space, "region": region, "top": 500}
    asked = '"abab" - man + 🐴 - #40'
    answer = head.nearest(asked, score="cosmul", track=["sea", "🐴"], **options)
    plain = head.nearest(asked, score="cosine", **options)
    likeness = {
        name: {
            near.id: (1 + near.score) / 2
            for near in head.nearest(
                name, score="cosine", keep_inputs=True, space=space, top=500
            ).neighbours
        }
        for name in ('"abab"', "man", "🐴", "#40")
    }

    def score(id_: int) -> float:
        one, other, third, fourth = (of[id_] for of in likeness.values())
        return one * third / (other * fourth + 1e-6)

    assert set(ids(answer)) == set(ids(plain))
    assert ids(answer) == sorted(ids(plain), key=lambda id_: (-score(id_), id_))
    for near in (*answer.neighbours, *answer.tracked):
        assert near.score == pytest.approx(score(near.id), rel=1e-9)
    for near in answer.tracked:
        others = [score(id_) for id_ in ids(answer) if id_ != near.id]
        assert near.rank == 1 + sum(other > score(near.id) for other in others)
    assert answer.snap == plain.snap
    assert answer.resolved == plain.resolved
    assert {n.id: n.logit for n in answer.neighbours} == {n.id: n.logit for n in plain.neighbours}


def oracle(analogy: Analogy, rows: Rows, among_N: NDArray[np.int64]) -> list[tuple[float, int]]:
    """Score each row by itself, sort in Python."""
    found = []
    for id_ in among_N.tolist():
        over, under = 1.0, 1.0
        for measure in analogy.added:
            over *= max(0.0, min(1.0, (1 + measure.scores(rows, np.array([id_]))[0]) / 2))
        for measure in analogy.subtracted:
            under *= max(0.0, min(1.0, (1 + measure.scores(rows, np.array([id_]))[0]) / 2))
        found.append((over / (under + 1e-6), id_))
    return sorted(found, key=lambda pair: (-pair[0], pair[1]))


coarse = st.sampled_from([0.0, 1.0, -1.0, 0.5, 2.0])
close = st.sampled_from([1.0, 1.0 + 2.0**-23, 1.0 + 2.0**-40, 1.0 + 2.0**-52, -1.0])
matrices = st.sampled_from([coarse, close, st.floats(-10, 10)]).flatmap(
    lambda elements: npst.arrays(
        np.float64, st.tuples(st.integers(1, 25), st.integers(1, 6)), elements=elements
    )
)


@settings(max_examples=60, deadline=None)
@given(values=matrices, dtype=st.sampled_from(["BF16", "F16", "F32", "F64"]), data=st.data())
def test_answers_and_ranks_are_exact(
    values: NDArray[np.float64], dtype: str, data: st.DataObject
) -> None:
    """Ties, rows at the origin, rows opposite to a name, rows that float32 does not tell apart."""
    rows = rows_of(values, dtype)
    norms_V = np.where(rows.norms() > 0, rows.norms(), 1e150)
    places = st.lists(st.integers(0, rows.count - 1), min_size=1, max_size=3)

    def measures() -> tuple[Measure, ...]:
        queries = rows.decode(np.array(data.draw(places)))
        lengths = norm(queries)
        pairs = zip(queries, lengths.tolist(), strict=True)
        return tuple(Measure(q, norms_V=norms_V, divisor=length or 1.0) for q, length in pairs)

    analogy = Analogy(measures(), measures() if data.draw(st.booleans()) else ())
    among_N = np.array(sorted(data.draw(st.sets(st.integers(0, rows.count - 1)))), dtype=np.int64)
    index, wanted = index_of(rows), oracle(analogy, rows, among_N)
    for k in (1, 3, 40):
        scores_K, ids_K = analogy.nearest(index, rows, k, among_N=among_N)
        assert list(zip(scores_K.tolist(), ids_K.tolist(), strict=True)) == wanted[:k]
    every_N = np.arange(rows.count)
    ranks = analogy.ranks(index, rows, every_N, among_N=among_N).tolist()
    for id_, rank in zip(every_N.tolist(), ranks, strict=True):
        order = oracle(analogy, rows, np.union1d(among_N, [id_]))
        assert rank == 1 + [found for _, found in order].index(id_)


def test_terms_keep_their_kind() -> None:
    expression = 'king - "hot \\"dog\\"" + #12 - token("▁a\\\\b") + 🐴 + "🐴" + "#12"'
    terms = terms_of(expression)
    assert [weight for weight, _ in terms] == [1, -1, 1, -1, 1, 1, 1]
    from unembed.geometry.concepts.grammar import Name, Sum, parse

    whole = parse(expression)
    assert isinstance(whole, Sum)
    for (_, written), (_, name) in zip(terms, whole.terms, strict=True):
        again = parse(written)
        assert isinstance(name, Name)
        assert isinstance(again, Name)
        assert (again.kind, again.text) == (name.kind, name.text)
    assert terms_of([("🐴", 1), (np.int64(7), -1)]) == ((1.0, '"🐴"'), (-1.0, "#7"))


@pytest.mark.parametrize(
    "query",
    [
        "2*king - man",
        "king - 0.5*man",
        "king/2",
        "mean(king, man)",
        "unit(king) + man",
        "king - (man - woman)",
        "-king",
        "-king - man",
        [("king", 2)],
        [("king", -1)],
        [("king", 1), (np.ones(16), 1)],
        [("king", 1), ("man", "x")],
        [],
        np.ones(16),
    ],
)
def test_what_does_not_multiply_is_refused(make_checkpoint: Make, query: Any) -> None:
    head = open_head(make_checkpoint())
    with pytest.raises(UsageError, match=r"cosmul multiplies names .* king - man"):
        head.nearest(query, score="cosmul")
    with pytest.raises(UsageError, match="cosmul multiplies names"):
        head.nearest(head.concept("king"), score="cosmul")


def test_what_is_wrong_in_the_expression_is_shown_there(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint())
    for expression in ("king - ", "king - token('none')", "king - #99999", "king - king"):
        with pytest.raises(ExpressionError) as plain:
            head.nearest(expression)
        with pytest.raises(ExpressionError) as found:
            head.nearest(expression, score="cosmul")
        assert str(found.value) == str(plain.value)
