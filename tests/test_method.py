"""Methods in one word: written, read again, kept for a head."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unembed import open_head
from unembed.errors import UsageError
from unembed.geometry.concepts.estimators import ESTIMATORS
from unembed.geometry.concepts.phrase import PIECES
from unembed.geometry.head import Head
from unembed.geometry.method import Method, best_method, keep_best

Make = Callable[..., Path]
METHODS = st.builds(
    Method, st.sampled_from(list(PIECES)), st.sampled_from([None, *ESTIMATORS]), st.booleans()
)


@given(METHODS)
def test_what_is_written_is_read_again(method: Method) -> None:
    assert Method.parse(str(method)) == method
    assert repr(method) == f"Method('{method}')"


@given(METHODS, st.randoms())
def test_parts_may_come_in_any_order(method: Method, random: object) -> None:
    parts = str(method).split("+")
    random.shuffle(parts)  # type: ignore[attr-defined]
    assert Method.parse("+".join(parts)) == method


def test_the_words_of_methods() -> None:
    assert str(Method()) == "plain"
    assert Method.parse("plain") == Method("rarity", None, csls=False)
    assert Method.parse("rarity") == Method()
    assert str(Method("mean", "ridge", csls=True)) == "mean+ridge+csls"
    assert Method.parse("procrustes+csls") == Method("rarity", "procrustes", csls=True)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "x", "best", "Plain", "plain ", "+", "csls+", "+csls", "csls+csls"),
        *("mean+first", "mean+mean", "ridge+offset", "ridge+ridge", "plain+csls", "plain+plain"),
        *("procrustes,csls", "procrustes + csls", "\x1b[31m"),
    ],
)
def test_what_is_no_method_is_refused(text: str) -> None:
    wrong = f"unknown method {text!r}; a method is plain, or parts with + between them: one of "
    with pytest.raises(UsageError, match=re.escape(wrong) + "rarity, mean, .*procrustes, csls$"):
        Method.parse(text)


@given(st.text())
def test_no_text_does_worse_than_that(text: str) -> None:
    try:
        method = Method.parse(text)
    except UsageError:
        return
    assert set(text.split("+")) <= {"plain", "csls", *PIECES, *ESTIMATORS}
    assert Method.parse(str(method)) == method


def test_the_best_is_kept_for_each_space(make_checkpoint: Make) -> None:
    head = open_head(make_checkpoint())
    with pytest.raises(
        UsageError, match=r"not been evaluated in the space causal, .*--spaces caus"
    ):
        best_method(head, "causal")
    keep_best(head, "causal", Method(csls=True))
    keep_best(head, "cosine", Method("mean", "ridge"))
    assert best_method(head, "causal") == Method(csls=True)
    assert best_method(head, "cosine") == Method("mean", "ridge")
    keep_best(head, "causal", Method())
    assert best_method(open_head(Path(head.source)), "causal") == Method()
    with pytest.raises(UsageError, match="not been evaluated in the space logit"):
        best_method(head, "logit")


def test_the_best_is_of_one_head(make_checkpoint: Make) -> None:
    keep_best(open_head(make_checkpoint()), "causal", Method())
    with pytest.raises(UsageError, match="not been evaluated"):
        best_method(open_head(make_checkpoint("byte_level")), "causal")


@pytest.mark.parametrize(
    "kept",
    [
        {"method": np.frombuffer(b"nonsense", dtype=np.uint8)},
        {"method": np.frombuffer(b"best", dtype=np.uint8)},
        {"method": np.frombuffer(b"\xff\xfe", dtype=np.uint8)},
        {"method": np.frombuffer(b"plain", dtype=np.int8)},
        {"method": np.frombuffer(b"plain", dtype=np.uint8)[None]},
        {"method": np.empty(0, dtype=np.uint8)},
        {"method": np.full(200, ord("x"), dtype=np.uint8)},
        {"other": np.frombuffer(b"plain", dtype=np.uint8)},
    ],
)
def test_what_is_no_method_in_the_store_is_not_used(
    make_checkpoint: Make, kept: dict[str, np.ndarray], caplog: pytest.LogCaptureFixture
) -> None:
    head = open_head(make_checkpoint())
    keep_best(head, "causal", Method())
    _overwrite(head, kept)
    with pytest.raises(UsageError, match=r"run: unembed evaluate .* --spaces causal"):
        best_method(head, "causal")
    keep_best(head, "causal", Method(csls=True))
    assert best_method(head, "causal") == Method(csls=True)


def _overwrite(head: Head, arrays: dict[str, np.ndarray]) -> None:
    """Put whole arrays that are no method where one is kept."""
    from unembed.geometry import method

    head.store.put(method._NAME, method._key(head, "causal"), arrays)


def test_a_damaged_entry_is_not_used(
    make_checkpoint: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    head = open_head(make_checkpoint())
    keep_best(head, "causal", Method())
    (entry,) = (tmp_path / "cache" / "unembed" / "derived").glob("*/best-method*")
    entry.write_bytes(entry.read_bytes()[:-2])
    with pytest.raises(UsageError, match="not been evaluated"):
        best_method(head, "causal")
