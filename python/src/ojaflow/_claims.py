"""The claims of a run, and what the runs say of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, overload

from . import _html
from ._errors import UnknownName

Verdict = Literal["holds", "refuted", "undecided"]


@dataclass(frozen=True, repr=False)
class Part:
    """One part of a claim: a number, its interval, and the bound that the interval has to clear.

    Attributes:
        condition: what is tested, and in which row of which table.
        estimate: the number, in the unit of that table's column; None where too little is left to compute it.
        ci_low: the lower end of its interval.
        ci_high: the upper end of its interval.
        bound: on which side of the threshold it has to lie: `above`, `below`, or `between` two.
        threshold: what it is compared with; of two bounds the lower.
        verdict: `holds`, `refuted` or `undecided`.
        n_runs: runs behind it.
        row: all columns of the table of claims.
    """

    condition: str
    estimate: float | None
    ci_low: float | None
    ci_high: float | None
    bound: str
    threshold: float
    verdict: Verdict
    n_runs: int
    row: Mapping[str, Any] = field(compare=False)

    @property
    def interval(self) -> tuple[float, float] | None:
        """Both ends of its interval; None where there is none."""
        return None if self.ci_low is None or self.ci_high is None else (self.ci_low, self.ci_high)

    @property
    def margin(self) -> float:
        """By how much its interval clears the bound; negative where it does not, −∞ where there is no interval."""
        if self.ci_low is None or self.ci_high is None:
            return float("-inf")
        above = self.ci_low - self.threshold
        if self.bound == "above":
            return above
        if self.bound == "below":
            return self.threshold - self.ci_high
        return min(above, float(self.row["threshold_high"]) - self.ci_high)

    def __str__(self) -> str:
        return f"{_html.interval(self.estimate, self.ci_low, self.ci_high)}  {self.condition}"

    def __repr__(self) -> str:
        return f"<Part {self.verdict}: {self}>"


@dataclass(frozen=True, repr=False)
class Claim:
    """A statement that runs can refute. It holds if all of its parts do, and is refuted if one is.

    Attributes:
        name: `C6`.
        statement: the claim in words.
        parts: what is tested, in the order of the table.
        remark: what the pipeline says beside it.
    """

    name: str
    statement: str
    parts: tuple[Part, ...]
    remark: str = ""

    @property
    def verdict(self) -> Verdict:
        """`holds`, `refuted` or `undecided`."""
        verdicts = {part.verdict for part in self.parts}
        if "refuted" in verdicts:
            return "refuted"
        return "holds" if verdicts == {"holds"} else "undecided"

    @property
    def holds(self) -> bool | None:
        """The same as a truth value; None where it is undecided."""
        return {"holds": True, "refuted": False}.get(self.verdict)

    @property
    def worst(self) -> Part:
        """The part whose interval clears its bound by the least."""
        return min(self.parts, key=lambda part: part.margin)

    @property
    def estimate(self) -> float | None:
        """The number of its worst part."""
        return self.worst.estimate

    @property
    def interval(self) -> tuple[float, float] | None:
        """The interval of its worst part."""
        return self.worst.interval

    def __str__(self) -> str:
        return "\n".join([f"{self.name} {self.verdict}: {self.statement}", *(f"  {part}" for part in self.parts)])

    def __repr__(self) -> str:
        return f"<Claim {self}>"

    def _repr_html_(self) -> str:
        head = f"<p><b>{_html.escape(self.name)} {_html.escape(self.verdict)}</b>: {_html.escape(self.statement)}</p>"
        rows = (
            (
                part.verdict,
                _html.interval(part.estimate, part.ci_low, part.ci_high),
                part.condition,
                part.n_runs,
            )
            for part in self.parts
        )
        remark = f"<p>{_html.escape(self.remark)}</p>" if self.remark else ""
        return f"<div>{head}{_html.table(['verdict', 'estimate and interval', 'part', 'runs'], rows)}{remark}</div>"


class Claims(Sequence[Claim]):
    """The claims of a run, by their order or by their name: `run.claims["C6"]`."""

    def __init__(self, claims: Iterable[Claim] = ()) -> None:
        self._claims = tuple(claims)

    @overload
    def __getitem__(self, index: int | str) -> Claim: ...
    @overload
    def __getitem__(self, index: slice) -> "Claims": ...
    def __getitem__(self, index: int | str | slice) -> "Claim | Claims":
        if isinstance(index, slice):
            return Claims(self._claims[index])
        if isinstance(index, int):
            return self._claims[index]
        for claim in self._claims:
            if claim.name == index:
                return claim
        raise UnknownName("claim", index, [claim.name for claim in self._claims])

    def __len__(self) -> int:
        return len(self._claims)

    def __repr__(self) -> str:
        return "\n".join(str(claim) for claim in self._claims) or "<Claims: none>"

    def _repr_html_(self) -> str:
        if not self._claims:
            return "<p>Nothing is claimed.</p>"
        rows = (
            (
                claim.name,
                claim.verdict,
                claim.statement,
                _html.interval(claim.worst.estimate, claim.worst.ci_low, claim.worst.ci_high)
                + (f", the worst of {len(claim.parts)} parts" if len(claim.parts) > 1 else ""),
            )
            for claim in self._claims
        )
        return _html.table(["claim", "verdict", "statement", "estimate and interval"], rows)


def read(rows: Iterable[Mapping[str, Any]]) -> Claims:
    """The claims of a table of their parts; in that of a composition the pipeline stands in front."""
    parts: dict[tuple[str, str, str], list[Part]] = {}
    for row in rows:
        identity = (str(row["claim"]), str(row.get("pipeline") or ""), str(row["statement"]))
        part = Part(
            condition=row["condition"],
            estimate=row["estimate"],
            ci_low=row["ci_low"],
            ci_high=row["ci_high"],
            bound=str(row["bound"]),
            threshold=row["threshold"],
            verdict=row["verdict"],
            n_runs=row["n_runs"],
            row=dict(row),
        )
        parts.setdefault(identity, []).append(part)
    names = [name for name, _, _ in parts]
    return Claims(
        Claim(
            name=name,
            # Two pipelines of a composition may make the same claim.
            statement=f"{statement} ({pipeline})" if pipeline and names.count(name) > 1 else statement,
            parts=tuple(found),
            remark=str(found[0].row.get("remark") or ""),
        )
        for (name, pipeline, statement), found in parts.items()
    )
