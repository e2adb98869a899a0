"""Everything that is drawn on a map, as an Arrow table and as an object of JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .columns import Value
from .marks import Mark

if TYPE_CHECKING:
    import pyarrow

    from .map import Map

# N tokens on a map of C coordinates; R rows of the table.

SCHEMA = 1  # of the fields of an output; a change of one raises it
_AXES = ("x", "y", "z")


def table_of(found: "Map") -> "pyarrow.Table":
    """Give a map as a table: a row for each token, mark, step of a path and label of a cluster.

    Its columns are ``part`` (``token``, ``mark``, ``step``, ``label``), ``name`` (of a mark, a
    step's path or a cluster), ``id``, ``token``, ``text``, ``kind``, ``script``, ``norm``,
    ``group``, ``cluster`` (its number; null for none), ``label`` (its name), ``x``, ``y`` (and
    ``z``) as UMAP put them, ``x_drawn``, ``y_drawn`` as they are drawn, ``neighbors`` (the ids of
    the nearest and their distances: 1 less the cosine), ``snap`` (an id), ``gap_degrees``,
    ``gap_logit``, and those of the user's table.

    Examples
    --------
    >>> import unembed
    >>> found = unembed.open_head("demo").map(region="emoji", marks=["emoji(seahorse)"])
    >>> table = table_of(found)
    >>> table.filter(table["part"].to_numpy(zero_copy_only=False) == "mark")["snap"].to_pylist()
    [247193]
    """
    import pyarrow

    points = found.points
    names = [cluster.name for cluster in found.clusters]
    clusters = [None if place < 0 else place for place in points.clusters_N.tolist()]
    marks = [(mark.name, "mark", mark) for mark in found.marks]
    steps = [(path.name, "step", step) for path in found.paths for step in path.steps]
    others = [*marks, *steps]
    count, more, labels = len(points.ids_N), len(others), len(found.clusters)
    mapped_RC = _stacked(points.mapped_NC, [mark.mapped for *_, mark in others])
    drawn = [mark.drawn for *_, mark in others] + [cluster.drawn for cluster in found.clusters]
    drawn_RC = _stacked(points.drawn_NC, drawn)

    def padded(values: Sequence[Any], kind: Any) -> "pyarrow.Array":
        return pyarrow.array([*values, *[None] * (more + labels)], type=kind)

    def beside(values: Sequence[Any], kind: Any) -> "pyarrow.Array":
        return pyarrow.array([*[None] * count, *values, *[None] * labels], type=kind)

    text, number, whole = pyarrow.string(), pyarrow.float64(), pyarrow.int64()
    columns: dict[str, Any] = {
        "part": ["token"] * count + [part for _, part, _ in others] + ["label"] * labels,
        "name": pyarrow.array([None] * count + [name for name, *_ in others] + names, type=text),
        "id": padded(points.ids_N.tolist(), whole),
        "token": padded(points.tokens, text),
        "text": padded(points.texts, text),
        "kind": padded(points.kinds, text),
        "script": padded(points.scripts, text),
        "norm": padded(points.norms_N.tolist(), number),
        "group": padded([found.groups[place] for place in points.groups_N.tolist()], text),
        "cluster": pyarrow.array([*clusters, *[None] * more, *range(labels)], type=pyarrow.int32()),
        "label": pyarrow.array(
            [None if place is None else names[place] for place in clusters] + [None] * more + names,
            type=text,
        ),
    }
    for axis, values in zip(_AXES, mapped_RC.T, strict=False):
        columns[axis] = pyarrow.array([*values.tolist(), *[None] * labels], type=pyarrow.float32())
    for axis, values in zip(_AXES, drawn_RC.T, strict=False):
        columns[f"{axis}_drawn"] = pyarrow.array(values)
    columns["neighbors"] = _neighbors(
        points.ids_N, points.near_NK, points.cosines_NK, [mark for *_, mark in others], labels
    )
    snaps = [int(points.ids_N[mark.snap]) for *_, mark in others]
    columns["snap"] = beside(snaps, whole)
    columns["gap_degrees"] = beside([mark.gap_degrees for *_, mark in others], number)
    columns["gap_logit"] = beside([mark.gap_logit for *_, mark in others], number)
    for name, given in points.columns.items():
        is_text = any(isinstance(value, str) for value in given)
        columns[name] = padded(given, text if is_text else number)
    return pyarrow.table(columns)


def _stacked(
    places_NC: NDArray[np.float32], others: Sequence[tuple[float, ...]]
) -> NDArray[np.float32]:
    """Put the places of tokens and of other things one below the other."""
    more_MC = np.array(others, dtype=np.float32).reshape(-1, places_NC.shape[1])
    return np.concatenate([places_NC, more_MC])


def _neighbors(
    ids_N: NDArray[np.int64],
    near_NK: NDArray[np.int64],
    cosines_NK: NDArray[np.float32],
    marks: Sequence[Mark],
    labels: int,
) -> "pyarrow.Array":
    """Give the nearest of each row, null for labels."""
    import pyarrow

    places = np.concatenate([near_NK.ravel(), *(np.array(mark.near, dtype=int) for mark in marks)])
    cosines = np.concatenate([cosines_NK.ravel(), *(np.array(mark.cosines) for mark in marks)])
    sizes = [near_NK.shape[1]] * len(near_NK) + [len(mark.near) for mark in marks]
    ends = np.cumsum([0, *sizes, *[0] * labels]).astype(np.int32)
    lists = [
        pyarrow.ListArray.from_arrays(ends, pyarrow.array(values))
        for values in (ids_N[places], (1 - cosines).astype(np.float64))
    ]
    is_label = np.arange(len(ends) - 1) >= len(sizes)
    return pyarrow.StructArray.from_arrays(
        lists, names=["ids", "distances"], mask=pyarrow.array(is_label)
    )


def dict_of(found: "Map") -> dict[str, Any]:
    """Give a map as an object of JSON; places of tokens are given as their ids.

    Examples
    --------
    >>> import unembed
    >>> found = dict_of(unembed.open_head("demo").map(region="emoji"))
    >>> found["schema"], len(found["points"]), sorted(found)[:4]
    (1, 990, ['breaks', 'clusters', 'groups', 'layout'])
    """
    points = found.points
    ids = points.ids_N.tolist()
    near_NK = points.ids_N[points.near_NK].tolist()
    rows = zip(
        ids,
        points.tokens,
        points.texts,
        points.kinds,
        points.scripts,
        points.norms_N.tolist(),
        [found.groups[place] for place in points.groups_N.tolist()],
        [None if place < 0 else place for place in points.clusters_N.tolist()],
        points.mapped_NC.tolist(),
        points.drawn_NC.tolist(),
        near_NK,
        points.cosines_NK.tolist(),
        strict=True,
    )
    fields = ("id", "token", "text", "kind", "script", "norm", "group", "cluster", "mapped")
    given: list[dict[str, Value]] = [
        {name: values[place] for name, values in points.columns.items()}
        for place in range(len(ids))
    ]
    return {
        "schema": SCHEMA,
        "source": found.source,
        "space": found.space,
        "title": found.title,
        "groups": list(found.groups),
        "layout": asdict(found.layout),
        "trust": None if found.trust is None else asdict(found.trust),
        "points": [
            dict(zip((*fields, "drawn", "near", "cosines"), row, strict=True)) | {"columns": own}
            for row, own in zip(rows, given, strict=True)
        ],
        "clusters": [asdict(cluster) for cluster in found.clusters],
        "marks": [_mark(mark, ids) for mark in found.marks],
        "paths": [
            {"name": path.name, "steps": [_mark(step, ids) for step in path.steps]}
            for path in found.paths
        ],
        "breaks": [
            asdict(island) | {"points": [ids[place] for place in island.points]}
            for island in found.breaks
        ],
    }


def _mark(mark: Mark, ids: Sequence[int]) -> dict[str, Any]:
    """Give a mark with ids for places."""
    return asdict(mark) | {"near": [ids[place] for place in mark.near], "snap": ids[mark.snap]}
