"""Opening an auditor: everything that it needs to know of a head, learned once."""

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...indexes.arithmetic import check_device
from ...indexes.progress import Progress
from ...indexes.tensors import is_file
from ..concepts.compose import Composer, Composition, composer_of
from ..concepts.pairs import EMOJI, Pair
from ..demos.demo import DEMOS
from ..evaluation.by_model import ByModel, open_by_model
from ..heads.unembedding import Unembedding
from ..hubness import has_words, hubness, unit_rows
from ..method import Method
from ..region import Region, RegionLike, find_region
from ..remote.address import address_of
from ..sampler import check_products
from .auditor import Auditor
from .forms import Forms, written_for
from .inside import Inside, open_inside
from .presence import Calibration, Presence, not_calibrated, open_calibration
from .searching import Searching
from .settings import Settings

# V tokens.

_TERMS = 1  # version of the terms
_DRAWN = 4096  # rows that are looked at to tell a head from another


def open_auditor(
    head: Unembedding,
    *,
    region: RegionLike = None,
    direction: str | None = None,
    top: int = Settings.top,
    residual_norm: float | None = None,
    min_membership: float = Settings.min_membership,
    min_p_token: float = Settings.min_p_token,
    device: str = Settings.device,
    with_model: bool = Settings.with_model,
    **composition: Unpack[Composition],
) -> Auditor:
    """Make what audits records against a head.

    Parameters
    ----------
    head : Unembedding
        Whose tokens.
    region, direction, top, residual_norm, min_membership, min_p_token, device, with_model
        As in `AuditOptions`.
    **composition
        Those of `Composition`.

    Raises
    ------
    UsageError
        An option is wrong, the region has too few tokens, or its direction cannot be learned.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.records.record import Record
    >>> auditor = open_auditor(unembed.open_head("demo"), region="emoji")
    >>> (found,) = auditor.audit([Record("sea + horse")])
    >>> found.verdict, found.nearest[0].text
    ('phantom', '🐴')
    """
    settings = Settings(top, residual_norm, min_membership, min_p_token, device, with_model)
    check_device(device)
    if residual_norm is not None:
        check_products(head, residual_norm)
    if region is None and direction is not None:
        raise UsageError(f"the direction {direction!r} leads into a region; name the region too")
    if region is None and with_model:
        raise UsageError("a model is asked for a token of a region; name the region too")
    composer = composer_of(head, **composition)
    if region is None:
        return _everywhere(composer, settings)
    found = region if isinstance(region, Region) else find_region(head, region)
    if direction is None and found.name is not None:
        direction = default_direction(found.name, ())
    inside = open_inside(composer, found, direction=direction)
    return _Within(composer, settings, inside, composition.get("progress")).auditor()


def default_direction(region: str | None, lists: Sequence[str]) -> str | None:
    """Give the direction of a region that fits the language of built-in lists.

    Examples
    --------
    >>> default_direction("emoji", ["emoji:all:de"]), default_direction("emoji", ["my.csv"])
    ('emoji_de', 'emoji')
    >>> default_direction("greek", ["my.csv"])
    """
    if region != EMOJI:
        return None
    languages = {
        name.split(":")[2] for name in lists if name.startswith("emoji:") and name.count(":") == 2
    }
    (language,) = languages if len(languages) == 1 == len(lists) else ("en",)
    return EMOJI if language == "en" else f"{EMOJI}_{language}"


def _everywhere(composer: Composer, settings: Settings) -> Auditor:
    """Ask of all tokens."""
    score = "cosine" if composer.space.kind.unit else "dot"
    return Auditor(
        composer,
        settings,
        Forms(composer.head.vocabulary, written_for("en")),
        _searching(composer, settings, score),
        None,
        None,
        _terms(composer, settings, score),
    )


@dataclass(frozen=True, eq=False)
class _Within:
    """Ask in a region, to which a direction may lead."""

    composer: Composer
    settings: Settings
    inside: Inside
    progress: Progress | None

    def auditor(self) -> Auditor:
        """Learn what is to be known."""
        head, region = self.composer.head, self.inside.region
        csls = has_words(head)
        score = "csls" if csls else "cosine"
        hubness_V = np.zeros(head.rows.count)
        if csls:
            hubness_V[region.ids_N] = hubness(
                head, self.composer.space, region.ids_N, fit=self.inside.fit, progress=self.progress
            )
        by_model = self._by_model()
        presence, calibration = self._presence(hubness_V, by_model, csls=csls)
        terms = _terms(self.composer, self.settings, score)
        terms |= {
            "region": region.name,
            "region_tokens": len(region.ids_N),
            "region_digest": hashlib.sha256(region.ids_N.tobytes()).hexdigest(),
            "direction": self.inside.direction,
            "direction_estimator": self._estimator,
            "calibration": calibration.to_dict(),
            "model": None
            if by_model is None
            else {"prompt": by_model.question.text("…"), "layer": by_model.layer},
        }
        return Auditor(
            self.composer,
            self.settings,
            Forms(
                head.vocabulary,
                written_for(self._language, self._pairs),
                region.ids_N,
                self._language is not None,
            ),
            _searching(self.composer, self.settings, score, region, hubness_V if csls else None),
            self.inside,
            presence,
            terms,
            by_model,
        )

    def _by_model(self) -> ByModel | None:
        """Choose how the model is asked, where it is."""
        if not self.settings.with_model:
            return None
        if self.inside.direction is None:
            raise UsageError(
                f"a model is asked by examples, and the region {self.inside.region.name!r} has "
                "none: name a direction with pairs"
            )
        return open_by_model(self.composer, self.inside.direction, progress=self.progress)

    @property
    def _language(self) -> str | None:
        """In which emoji are named, where emoji are asked for."""
        name, own = self.inside.direction or "", self.composer.directions.given
        if name.startswith(f"{EMOJI}_") and name not in own:
            return name.removeprefix(f"{EMOJI}_")
        return "en" if EMOJI in {name, self.inside.region.name} else None

    @cached_property
    def _pairs(self) -> Sequence[Pair]:
        """The names that the direction is learned from."""
        return (
            ()
            if self.inside.direction is None
            else self.composer.directions.pairs(self.inside.direction).pairs
        )

    @property
    def _estimator(self) -> str:
        """How the direction is learned."""
        if self.inside.direction is None:
            return "category"
        return self.composer.directions.estimator_of(self.inside.direction)

    def _presence(
        self, hubness_V: NDArray[np.float64], by_model: ByModel | None, *, csls: bool
    ) -> tuple[Presence | None, Calibration]:
        """Calibrate on the names of the direction, where it has any."""
        if self.inside.direction is None or not self._pairs:
            return None, not_calibrated("no names are known of the tokens of this region")
        head, space = self.composer.head, self.composer.space
        sample = self.composer.directions.sample(self.inside.direction)
        ids_C = np.intersect1d(sample.target_ids_N, self.inside.region.ids_N)
        if not len(ids_C):
            return None, not_calibrated(
                f"no target of the direction {self.inside.direction!r} is in the region"
            )
        calibration, held_out = open_calibration(
            self.composer,
            sample,
            Method(self.composer.pieces, self._estimator, csls),
            name=self.inside.direction,
            by_model=by_model,
            progress=self.progress,
        )
        if calibration.kind is None:
            return None, calibration
        targets_CD = unit_rows(space, head.rows, ids_C)
        presence = Presence(targets_CD, hubness_V[ids_C], 1.0 + csls, calibration, held_out)
        return presence, calibration


def _searching(
    composer: Composer,
    settings: Settings,
    score: str,
    region: Region | None = None,
    hubness_V: NDArray[np.float64] | None = None,
) -> Searching:
    """Make what searches."""
    return Searching(
        composer.head,
        composer.space,
        None if region is None else region.ids_N,
        score != "dot",
        hubness_V,
        settings.top,
        settings.residual_norm,
        settings.device,
    )


def _terms(composer: Composer, settings: Settings, score: str) -> dict[str, Any]:
    """Say what an audit is made with; the same on another machine with the same head."""
    head = composer.head
    digest = hashlib.sha256(repr((head.scale, head.softcap, head.final_norm)).encode())
    digest.update(head.vocabulary.path.read_bytes())
    drawn_N = np.arange(_DRAWN) * head.rows.count // _DRAWN
    norm_weights = () if head.final_norm is None else (head.final_norm.weight_D,)
    for array in (
        head.norms_V,
        head.rows.codes_VD[drawn_N],
        *(() if head.bias_V is None else (head.bias_V,)),
        *norm_weights,
        head.vocabulary.strings.data,
        head.vocabulary.written.data,
    ):
        digest.update(array.tobytes())
    directions = composer.directions
    own = hashlib.sha256(
        repr([(name, pairs.digest) for name, pairs in sorted(directions.given.items())]).encode()
    )
    if directions.saved is not None:
        fit = directions.saved.fit
        for array in (fit.base_D, fit.target_D, fit.map_DD, np.array([fit.gain])):
            own.update(b"" if array is None else array.tobytes())
    numbers = asdict(settings)
    del numbers["device"]  # changes no answer
    return {
        "terms": _TERMS,
        "unembed": metadata.version("unembed"),
        "emoji": metadata.version("emoji"),
        "unicode": unicodedata.unidata_version,
        "source": head.source,
        "tensor": head.tensor,
        "shape": list(head.rows.codes_VD.shape),
        "head_digest": digest.hexdigest(),
        "space": composer.space.name,
        "fold_norm": composer.space.folded,
        "pieces": composer.pieces,
        "score": score,
        "estimator": directions.estimator,
        "own_directions": sorted(directions.given),
        "directions_digest": own.hexdigest(),
        **numbers,
        "region": None,
    }


@dataclass(frozen=True)
class AuditorSpec:
    """What an auditor is opened with, as a value that can be sent to another process.

    Attributes
    ----------
    source, tensor, tokenizer, revision
        As `open_head` takes them.
    options : tuple of (str, value)
        As `open_auditor` takes them.
    directory : str
        Where relative paths begin: a worker may run elsewhere.

    Examples
    --------
    >>> AuditorSpec("demo-bytes", options=(("top", 1),)).open().settings.top
    1
    """

    source: str
    tensor: str | None = None
    tokenizer: str | None = None
    revision: str | None = None
    options: tuple[tuple[str, Any], ...] = ()
    directory: str = ""

    def open(self, *, progress: Progress | None = None) -> Auditor:
        """Open the head, and make ready what audits.

        Raises
        ------
        UsageError
            As in `open_auditor`.
        SourceError
            The head cannot be opened.
        """
        options = dict(self.options)
        if isinstance(options.get("directions"), str | Path):
            options["directions"] = self._path(options["directions"])
        remote = address_of(self.source, self.revision, directory=self.directory)
        head = Unembedding.open(
            self.source if self.source in DEMOS or remote else self._path(self.source),
            tensor=self.tensor,
            tokenizer=None if self.tokenizer is None else self._path(self.tokenizer),
            revision=self.revision,
            progress=progress,
        )
        # What lies elsewhere is called what the user called it.
        region = options.get("region")
        if remote is None:
            head = replace(head, source=self.source)
        if self.directory and isinstance(region, str) and is_file(self._path(region)):
            found = find_region(head, str(self._path(region)))
            options["region"] = replace(found, name=region)
        return open_auditor(head, progress=progress, **options)

    def _path(self, name: str | Path) -> Path:
        """Give the path that a name stands for."""
        return Path(self.directory, name)
