"""Bytes of any kind, where a file or an expression is expected: an answer or one of our errors."""

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unembed.indexes.store import cache_directory

from .fuzzed import TARGETS, feed
from .watched import watched

ROOM = 3 << 30  # bytes of memory that may be asked for beyond what is there


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    """Fail what asks for more memory than any of these inputs can need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@st.composite
def changed(draw: st.DrawFn, sound: bytes) -> bytes:
    """Change sound content here and there, or make up all of it."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=300))
    data = bytearray(sound)
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 8))] = draw(
            st.binary(max_size=9) | st.sampled_from([b"-1", b"1e999", b"null", b"[]", b"{}", b'"'])
        )
    return bytes(data[: draw(st.integers(0, 2 * len(data)))])


@pytest.mark.parametrize("name", TARGETS)
def test_bytes_of_any_kind_are_an_answer_or_one_of_our_errors(name: str, tmp_path: Path) -> None:
    _, sound = TARGETS[name]

    @settings(
        max_examples=150,
        deadline=5_000,
        suppress_health_check=[HealthCheck.too_slow],
        database=None,
    )
    @given(changed(sound))
    def fed(data: bytes) -> None:
        with watched(tmp_path, cache_directory()):
            feed(name, tmp_path, data)

    feed(name, tmp_path, sound)
    fed()
