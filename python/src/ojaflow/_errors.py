"""What can go wrong, and whose fault it is."""

import difflib
from collections.abc import Iterable


class OjaflowError(Exception):
    """The program refused a request or failed, or what was asked for is not there.

    Attributes:
        status: the program's exit status: 1 where a run failed, 2 where the request was wrong, 130 after an interruption;
            None where the program was not the one to complain.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class UnknownName(OjaflowError, KeyError):
    """No table, figure, claim, panel or run has this name; the message has those that are near."""

    def __init__(self, what: str, name: object, there: Iterable[object], where: str = "") -> None:
        known = [str(one) for one in there]
        # `fig4` is near `fig4~85d75dea`, however long what follows.
        longer = [one for one in known if one.startswith(str(name))]
        near = list(dict.fromkeys([*longer, *difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)]))[:3]
        if isinstance(name, int):
            # Digits that look alike do not make numbers near.
            near = []
        if near:
            hint = "did you mean " + " or ".join(f"`{one}`" for one in near) + "?"
        elif known:
            # A long list helps nobody.
            shown = ", ".join(f"`{one}`" for one in known[:20])
            hint = f"there are: {shown}" + (f" and {len(known) - 20} more" if len(known) > 20 else "")
        else:
            hint = "there is none"
        super().__init__(f"there is no {what} `{name}`{where}; {hint}")

    # A KeyError prints its argument in quotes, as if the message were the key.
    __str__ = Exception.__str__


class MissingLibrary(OjaflowError, ImportError):
    """A library that a method needs is not installed; the message has the command that installs it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what}, which is not installed: pip install 'ojaflow[{extra}]'")
