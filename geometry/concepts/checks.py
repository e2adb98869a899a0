"""What names and texts of directions may be, and how a file's values are shown in errors."""

LONGEST = 200  # characters of a name
ABOUT = 1000  # characters of what a direction means
SHOWN = 80  # characters of a value in a message
FUNCTIONS = ("mean", "unit", "token", "model", "direction")


def name_fault(name: object) -> str | None:
    """Say what keeps a name from being that of a direction; None where nothing does.

    Examples
    --------
    >>> name_fault("unit"), name_fault("my_colour")
    ('is the name of a function of expressions; choose another', None)
    """
    if not isinstance(name, str) or not is_plain(name):
        return f"is no name; it has letters, digits and _, at most {LONGEST}, as in my_colour"
    if name in FUNCTIONS:
        return "is the name of a function of expressions; choose another"
    return None


def shown(value: object, *, longest: int = SHOWN) -> str:
    """Write a value of a file in a message, cut where it is long.

    Examples
    --------
    >>> shown("x" * 100, longest=5)
    "'xxxx…"
    """
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of many digits, tables in tables
        return f"a {type(value).__name__} too large to show"
    return cut(text, longest=longest)


def cut(text: str, *, longest: int) -> str:
    """Cut a text where it is long.

    Examples
    --------
    >>> cut("seahorse", longest=3)
    'sea…'
    """
    return text if len(text) <= longest else f"{text[:longest]}…"


def is_plain(name: str) -> bool:
    """Tell whether a name is one that an expression can call.

    Examples
    --------
    >>> is_plain("my_colour"), is_plain("2nd")
    (True, False)
    """
    return name.isidentifier() and name.isascii() and len(name) <= LONGEST


def is_text(value: object) -> bool:
    """Tell whether a value can be a name of a pair, or a region.

    Examples
    --------
    >>> is_text("hot dog"), is_text(" ")
    (True, False)
    """
    return isinstance(value, str) and value.strip() != "" and len(value) <= LONGEST
