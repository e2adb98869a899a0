"""The audit itself: for each record whether there is a token, and what the head makes of it."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...indexes.rows import norm
from ..answer import Snap
from ..concepts.compose import Composer
from ..concepts.concept import SMALLEST
from ..evaluation.by_model import ByModel
from ..evaluation.retrieval import joined
from ..records.record import Record
from ..tokens.vocabulary import Vocabulary
from .belief import Belief, beliefs
from .composing import Composed, compose_each
from .finding import Finding, NearToken
from .forms import Forms, Known
from .inside import Inside
from .presence import Presence
from .searching import Searching
from .settings import Settings
from .spelling import Spelled, Speller

# B concepts; vectors of width D.

_TOGETHER = 2048  # records that are searched together
_READ = 100  # characters of a concept that a model is asked for
_TO_ZERO = "the direction of the region takes it to zero, which has no direction"


@dataclass(frozen=True, eq=False)
class Auditor:
    """Audits records against one head; `open_auditor` makes it.

    Attributes
    ----------
    composer : Composer
        Composes concepts on the head.
    settings : Settings
        Thresholds and the like.
    forms : Forms
        Finds the token of a concept where it is known.
    searching : Searching
        Finds the nearest tokens, and what the head makes of a concept.
    inside : Inside or None
        The region; None where all tokens are asked.
    presence : Presence or None
        Gives `p_token`; None without a region, or where it cannot be calibrated.
    terms : dict
        What an audit was made with, for its metadata.
    by_model : ByModel or None
        Asks the model too, where it is asked.

    Examples
    --------
    >>> import unembed
    >>> from unembed.geometry.audit.opening import open_auditor
    >>> auditor = open_auditor(unembed.open_head("demo-bytes"))
    >>> [found.verdict for found in auditor.audit([Record("horse"), Record("hippocampus")])]
    ['single_token', 'multi_token']
    """

    composer: Composer
    settings: Settings
    forms: Forms
    searching: Searching
    inside: Inside | None
    presence: Presence | None
    terms: dict[str, Any]
    by_model: ByModel | None = None
    _speller: Speller = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Make what spells, and be ready for thousands of words."""
        self.vocabulary.hold()
        object.__setattr__(self, "_speller", Speller(self.vocabulary))

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens."""
        return self.composer.head.vocabulary

    def audit(self, records: Sequence[Record]) -> list[Finding]:
        """Audit records: a finding for each, in their order. None of them ends the audit.

        The numbers of a record do not depend on the others but for the last bits of a sum, and the
        same records in the same order give the same bits.
        """
        starts = range(0, len(records), _TOGETHER)
        parts = [records[start : start + _TOGETHER] for start in starts]
        # The next part is composed while the rows are searched for this one.
        with ThreadPoolExecutor(1) as ahead:
            return [
                finding
                for part in ahead.map(self._composed, parts)
                for finding in self._findings(part)
            ]

    def _composed(self, records: Sequence[Record]) -> "_Part":
        """Find all of records that needs no search."""
        read = [record for record in records if record.fault is None]
        asked = iter(
            self._asked(record, found)
            for record, found in zip(read, self._compose(read), strict=True)
        )
        outcomes = [record.fault or next(asked) for record in records]
        sound = [outcome for outcome in outcomes if isinstance(outcome, _Asked)]
        vectors = [asked.composed.vector_D for asked in sound]
        vectors_BD = np.array(vectors).reshape(len(sound), self.composer.space.width)
        nothing: list[None] = [None] * len(sound)
        part = _Part(records, outcomes, sound, vectors_BD, vectors_BD, nothing, nothing, nothing)
        return part if self.inside is None else self._carried(self.inside, part)

    def _compose(self, records: Sequence[Record]) -> list[Composed | str]:
        """Compose concepts, up to where the region's direction is applied to all of them."""
        into = None if self.inside is None else self.inside.direction
        return compose_each(self.composer, records, into=into)

    def _asked(self, record: Record, found: Composed | str) -> "_Asked | str":
        """Find what is known of a concept, or say what is wrong."""
        if isinstance(found, str):
            return found
        try:
            known = self.forms.find(record, name=found.name, token_id=found.token_id)
        except UsageError as error:
            return str(error)
        spelled = None if known.form is None else self._spelled(known.form, known.token_id)
        if spelled is not None or self.inside is not None:
            return _Asked(record, found, known, spelled)
        if known.form is not None:
            return f"{known.form!r} is not written with the tokens of this vocabulary"
        return (
            "an expression has no spelling of its own; give it a form, or ask in a region, where "
            "its geometry tells"
        )

    def _spelled(self, form: str, token_id: int | None) -> Spelled | None:
        """Spell a form, by its one token where there is one."""
        if token_id is None:
            return self._speller.spell(form)
        is_fragment = self.vocabulary.lacks(token_id) != 0
        return Spelled(form, (token_id,), int(is_fragment), None, ())

    def _carried(self, inside: Inside, part: "_Part") -> "_Part":
        """Take concepts into the region, but for those that are a token of it."""
        concepts = [asked.composed for asked in part.sound]
        stays_B1 = np.array([inside.holds(found) for found in concepts], dtype=bool)[:, None]
        moved_BD, placed_BD = (
            np.where(stays_B1, part.placed_BD, carried_BD)
            for carried_BD in inside.carried(part.placed_BD)
        )
        there_B = (norm(moved_BD) > SMALLEST) & (norm(placed_BD) > SMALLEST)
        if not there_B.all():
            return self._carried(inside, part.kept(there_B))
        part = replace(
            part,
            moved_BD=moved_BD,
            placed_BD=placed_BD,
            memberships=inside.membership(placed_BD).tolist(),
        )
        if self.by_model is not None:
            part = self._answered(inside, self.by_model, part, stays_B1)
        if self.presence is None:
            return part
        terms = {
            place: inside.carried(found.terms_TD)[0]
            for place, found in enumerate(concepts)
            if len(found.terms_TD)
        }
        names = [found.name for found in concepts]
        return replace(part, chances=self.presence(part.moved_BD, terms, names).tolist())

    def _answered(
        self, inside: Inside, by_model: ByModel, part: "_Part", stays_B1: NDArray[np.bool_]
    ) -> "_Part":
        """Ask the model too: its answers are added, but to what stays as it is."""
        texts = [_readable(asked.record.concept) for asked in part.sound]
        answers_BD, outputs_BD = by_model(texts)
        return replace(
            part,
            moved_BD=np.where(stays_B1, part.moved_BD, joined(part.moved_BD, answers_BD)),
            beliefs=beliefs(self.composer.head, outputs_BD, inside.region.ids_N),
        )

    def _findings(self, part: "_Part") -> Iterator[Finding]:
        """Search for the concepts of a part, and judge them."""
        inputs = [asked.composed.token_ids for asked in part.sound]
        nearest, snaps = self.searching(part.moved_BD, part.placed_BD, inputs)
        found = iter(
            zip(
                *(part.sound, nearest, snaps, part.memberships, part.chances, part.beliefs),
                strict=True,
            )
        )
        for record, outcome in zip(part.records, part.outcomes, strict=True):
            if isinstance(outcome, str):
                yield Finding(record.concept, record.id, record.source, "error", message=outcome)
            else:
                yield self._finding(*next(found))

    def _finding(
        self,
        asked: "_Asked",
        nearest: tuple[NearToken, ...],
        snap: Snap,
        membership: float | None,
        p_token: float | None,
        belief: Belief | None,
    ) -> Finding:
        """Judge one concept."""
        record, spelled = asked.record, asked.spelled
        verdict, by = self._verdict(asked, membership, p_token)
        ids = () if spelled is None else spelled.token_ids
        return Finding(
            concept=record.concept,
            id=record.id,
            source=record.source,
            verdict=verdict,
            by=by,
            form=asked.known.form,
            token_ids=ids,
            tokens=tuple(map(self.vocabulary.token, ids)),
            fragments=None if spelled is None else spelled.fragments,
            shared=None if spelled is None else spelled.shared,
            siblings=() if spelled is None else spelled.siblings,
            nearest=nearest,
            snap_id=snap.id,
            snap_token=snap.token,
            snap_text=snap.text,
            snap_logit=snap.logit,
            snap_probability=snap.probability,
            gap_degrees=snap.gap_degrees,
            gap_logit=snap.gap_logit,
            membership=membership,
            p_token=p_token,
            **({} if belief is None else asdict(belief)),
        )

    def _verdict(
        self, asked: "_Asked", membership: float | None, p_token: float | None
    ) -> tuple[str, str | None]:
        """Give the first verdict that holds, and what says so."""
        known, settings = asked.known, self.settings
        if known.token_id is not None:
            return "single_token", known.by
        if known.form is None and p_token is not None and p_token >= settings.min_p_token:
            return "single_token", "geometry"
        if membership is not None and membership >= settings.min_membership:
            return "phantom", None
        # One token that is not in the region spells nothing there.
        is_spelled = asked.spelled is not None and len(asked.spelled.token_ids) > 1
        return "multi_token" if is_spelled else "absent", None


def _readable(concept: str) -> str:
    """Give what a model reads of a concept: its first characters, what is no character replaced."""
    return concept[:_READ].encode(errors="replace").decode()


@dataclass(frozen=True, eq=False)
class _Asked:
    """A record with which nothing is wrong."""

    record: Record
    composed: Composed
    known: Known
    spelled: Spelled | None


@dataclass(frozen=True, eq=False)
class _Part:
    """Records that are searched together, and what is known of them before."""

    records: Sequence[Record]
    outcomes: "Sequence[_Asked | str]"  # what is wrong, where something is
    sound: Sequence[_Asked]
    moved_BD: NDArray[np.float64]
    placed_BD: NDArray[np.float64]
    memberships: Sequence[float | None]
    chances: Sequence[float | None]
    beliefs: Sequence[Belief | None]

    def kept(self, there_B: NDArray[np.bool_]) -> "_Part":
        """Leave out the concepts that the region's direction takes to zero."""
        there = iter(there_B.tolist())
        outcomes = [
            outcome if isinstance(outcome, str) or next(there) else _TO_ZERO
            for outcome in self.outcomes
        ]
        sound = [outcome for outcome in outcomes if isinstance(outcome, _Asked)]
        return replace(
            self,
            outcomes=outcomes,
            sound=sound,
            moved_BD=self.moved_BD[there_B],
            placed_BD=self.placed_BD[there_B],
            memberships=[None] * len(sound),
            chances=[None] * len(sound),
            beliefs=[None] * len(sound),
        )
