"""Many queries at once on the two real heads, in each arithmetic, against one by one."""

import numpy as np
import pytest
from unembed import open_head
from unembed.geometry.space import open_space
from unembed.indexes import exact
from unembed.indexes.batch import nearest_each, ranks_each

HAVE = {"int8": {"avx512_vnni"}, "bf16": {"avx512_bf16"}, "float32": set()}


def told(done: int, total: int) -> None:
    assert 0 < done <= total


@pytest.mark.real
@pytest.mark.parametrize("has", HAVE)
@pytest.mark.parametrize("source", ["demo", "demo-bytes"])
@pytest.mark.parametrize("space", ["logit", "cosine", "causal"])
def test_real_heads_answer_as_one_by_one(
    has: str, source: str, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unembed.indexes.arithmetic.processor", lambda: HAVE[has])
    head = open_head(source)
    geometry = open_space(head, space)
    rng = np.random.default_rng(8)
    known_N = np.flatnonzero(head.vocabulary.known_V)
    placed_Q3D = geometry.place(head.rows.decode(rng.choice(known_N, (100, 3)).ravel()))
    placed_Q3D = placed_Q3D.reshape(100, 3, -1)
    vectors_QD = placed_Q3D[:, 0] - placed_Q3D[:, 1] + placed_Q3D[:, 2]
    vectors_QD[:10] = placed_Q3D[:10, 0]
    measures = [geometry.measure(c_D, cosine=geometry.kind.unit) for c_D in vectors_QD]
    given = {"lengths_V": head.norms_V, "among_N": known_N, "done": told}
    found = nearest_each(head.rows, measures, 20, **given)
    for measure, scores_K, ids_K in zip(measures, *found, strict=True):
        (proposal,) = exact.propose(head.index, [measure], 20, among_N=known_N)
        expected = exact.nearest(head.index, head.rows, measure, proposal, 20)
        np.testing.assert_array_equal(ids_K, expected[1])
        assert scores_K.tobytes() == expected[0].tobytes()
    for at in (0, 19):
        ranks_Q = ranks_each(head.rows, measures, found[1][:, at], **given)
        assert ranks_Q.tolist() == [at + 1] * 100
