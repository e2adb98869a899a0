"""What an audit finds of one concept."""

from dataclasses import dataclass

VERDICTS = ("error", "single_token", "phantom", "multi_token", "absent")
BY = ("expected", "form", "name", "geometry")


@dataclass(frozen=True)
class NearToken:
    """A token near a concept.

    Attributes
    ----------
    id : int
        Of equal scores the lower comes first.
    token : str
        The vocabulary's own string.
    text : str or None
        What the token writes; None for a fragment of a character.
    score : float
        As the audit's method scores.

    Examples
    --------
    >>> NearToken(250009, "🐎", "🐎", 0.25).text
    '🐎'
    """

    id: int
    token: str
    text: str | None
    score: float


@dataclass(frozen=True)
class Finding:
    """Whether a head has a token for a concept, and what it makes of the concept.

    The fields are those of every output, in this order.

    Attributes
    ----------
    concept : str
        As it stands in the list.
    id, source : str or None
        The record's own, where given.
    verdict : str
        One of `VERDICTS`, the first that holds.
    by : str or None
        What says that there is a token, one of `BY`; None for other verdicts.
    message : str or None
        Why it is an error.
    form : str or None
        The surface form that `token_ids` spell: the one that is a token, else the first.
    token_ids, tokens : tuple
        The form's tokens; none where no form is known.
    fragments : int or None
        How many of them are not whole characters; None without a form.
    shared : int or None
        How many of the form's first tokens other characters begin with too, where it is spelled in
        byte pieces; else None.
    siblings : tuple of str
        The first of these other characters, by code point.
    nearest : tuple of NearToken
        The nearest tokens in the region, by descending score.
    snap_id, snap_token, snap_text
        The token that the head makes of the concept: the largest logit of all.
    snap_logit : float or None
        Its logit, for a residual of the audit's norm, 1 where it has none.
    snap_probability : float or None
        Of the sampler's writing it, where the audit has a norm.
    gap_degrees : float or None
        The angle between the concept and the snap's row in the space.
    gap_logit : float or None
        How much more logit a row of the snap's length would get that points at the concept.
    membership : float or None
        How deep the concept lies in the region: the share of the region's own rows that lie no
        deeper, each of them held out.
    p_token : float or None
        The calibrated probability that the region has a token for the concept.
    believed : float or None
        Where the model was asked too: the probability with which its next token is one of the
        region. A phantom that the model believes in is what it takes for a token that is there.
    written_id, written_token, written_text
        The token that it writes then: the likeliest of all.

    Examples
    --------
    >>> Finding("sea + horse", verdict="phantom").by is None
    True
    """

    concept: str
    id: str | None = None
    source: str | None = None
    verdict: str = "error"
    by: str | None = None
    message: str | None = None
    form: str | None = None
    token_ids: tuple[int, ...] = ()
    tokens: tuple[str, ...] = ()
    fragments: int | None = None
    shared: int | None = None
    siblings: tuple[str, ...] = ()
    nearest: tuple[NearToken, ...] = ()
    snap_id: int | None = None
    snap_token: str | None = None
    snap_text: str | None = None
    snap_logit: float | None = None
    snap_probability: float | None = None
    gap_degrees: float | None = None
    gap_logit: float | None = None
    membership: float | None = None
    p_token: float | None = None
    believed: float | None = None
    written_id: int | None = None
    written_token: str | None = None
    written_text: str | None = None
