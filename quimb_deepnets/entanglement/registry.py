"""The table of methods, and which of them is taken: planned in integers, before any array.

::

    state, where --> StateView --> for each method: Cost or why not --> the cheapest that fits
                                                                              |
                                      Spectrum or density matrix   <----------+

Each method is one file that registers itself with `add_method`; so can a user's.
"""

import inspect
import math
import numbers
from typing import Any, NamedTuple

from ..errors import BudgetError, DeepNetError, MethodError, OptionError, check_option
from ..numerics.shown import Shown
from ..numerics.sizes import readable_bytes

MAX_FLOPS = 1e15  # some hours on one core
SOON = 2e9  # flops, which take about as long as a search for contraction paths

# what to do instead where nothing fits, for states with a view
ALTERNATIVES = {
    "amplitudes": "renyi2_estimate, which samples amplitudes",
    "network": "method='approx', which estimates entropies",
}

METHODS: dict[str, Any] = {}


class Method(NamedTuple):
    """One way to find the spectrum of a reduced density matrix, or the matrix itself.

    Parameters
    ----------
    name : str
    view : str
        The view that it looks at; it applies to states that have it, see `StateView`.
    cost : callable
        ``cost(view, places, what="spectrum") -> Cost``, all in all; may raise a `DeepNetError`.
        ``what`` is ``"spectrum"``, ``"tail"``, ``"density"`` or ``"pair"``, with `PairPlaces`.
    spectrum : callable
        ``spectrum(view, places, progbar=False, **options) -> Spectrum``.
    sweep : callable, optional
        ``sweep(view, cuts, progbar=False) -> list[Spectrum]``, all cuts of the order of sites.
    density : callable, optional
        ``density(view, places, progbar=False, **options) -> array``, of any trace.
    tail : callable, optional
        As ``spectrum``, with the smallest Schmidt values right too, where that takes more work.
    pair : callable, optional
        ``pair(view, a, b, progbar=False, **options) -> array``, the density matrix of two
        subsystems ``(a, b, a, b)``, of any trace, each up to an isometry; where there is none,
        ``density`` serves.
    searches : bool, optional
        Whether its cost comes from a search for contraction paths, which takes a while itself.
    exact : bool, optional
        Whether it is exact to round-off; others are taken only by name.
    squares : bool, optional
        Whether it sees squared amplitudes alone, so that Schmidt values below 1e-15 are lost.

    Examples
    --------
    See ``examples/entropy_of_your_own_state.py``.
    """

    name: str
    view: str
    cost: object
    spectrum: object
    sweep: object = None
    density: object = None
    tail: object = None
    pair: object = None
    searches: bool = False
    exact: bool = True
    squares: bool = False

    def give(self, what):
        """The callable for what `choose` is asked for; None if there is none."""
        if what == "tail":
            return self.tail or self.spectrum
        return self.pair or self.density if what == "pair" else getattr(self, what)


def add_method(method):
    """Add a method to the table, under its name.

    Raises
    ------
    OptionError
        If the name is taken.
    """
    if method.name in METHODS or method.name == "auto":
        raise OptionError(f"there is a method {method.name!r} already; choose another name.")
    METHODS[method.name] = method
    return method


class PairPlaces(tuple):
    """The places of two subsystems, one after the other.

    Attributes
    ----------
    first : int
        How many of them belong to the first.
    """

    first: int

    @classmethod
    def of(cls, a, b):
        """The places of a and b."""
        new = cls((*a, *b))
        new.first = len(a)
        return new


class EntanglementPlan(Shown):
    """What each method would cost for a subsystem, and the one that is taken.

    Attributes
    ----------
    rows : list[dict]
        ``method``, ``bytes``, ``flops``, and ``reason``: why it is not taken, or None.
    chosen : str or None
        The name of the cheapest method that fits.
    """

    def __init__(self, view, places, rows, max_bytes, max_flops, what="spectrum"):
        self.view, self.places, self.rows = view, places, rows
        self.max_bytes, self.max_flops = max_bytes, max_flops
        fitting = [row for row in rows if row["reason"] is None]
        if what == "tail":
            fitting = [row for row in fitting if not METHODS[row["method"]].squares] or fitting
        known = [row for row in fitting if not METHODS[row["method"]].searches]
        if any(row["flops"] < SOON for row in known):
            fitting = known
        self.chosen = min(fitting, key=lambda row: row["flops"])["method"] if fitting else None

    def __repr__(self):
        lines = [f"{self._title}:", f"  {'method':10} {'memory':>10} {'log10 flops':>12}"]
        for method, memory, flops, reason in map(_cells, self.rows):
            mark = "*" if method == self.chosen else " "
            lines.append(f"{mark} {method:10} {memory:>10} {flops:>12}  {reason}".rstrip())
        return "\n".join(lines)

    @property
    def _title(self):
        return (
            f"EntanglementPlan for {len(self.places)} of {len(self.view.sites)} sites of a "
            f"{self.view.name}, at most {readable_bytes(self.max_bytes)}"
        )

    def _html_table(self):
        chosen = [n for n, row in enumerate(self.rows) if row["method"] == self.chosen]
        header = "method", "memory", "log10 flops", ""
        return self._title, header, list(map(_cells, self.rows)), chosen


def _cells(row):
    """What a row of a plan says, in words."""
    memory = "" if row["bytes"] is None else readable_bytes(row["bytes"])
    flops = "" if row["flops"] is None else f"{_log10(row['flops']):.1f}"
    return row["method"], memory, flops, row["reason"] or ""


def _log10(count):
    return math.log10(max(1, count)) if count < math.inf else math.inf


def make_plan(view, places, what, max_bytes, max_flops, full=False):
    """Cost the methods that apply to a state, see `EntanglementPlan`.

    Parameters
    ----------
    view : StateView
    places : tuple[int]
    what : {"spectrum", "tail", "density"}
        What is asked for; ``"tail"`` is a spectrum of which the smallest values matter.
    max_bytes, max_flops : number
        The budget.
    full : bool, optional
        Cost also those that cannot be chosen: inexact ones, and those that search for contraction
        paths where something cheap is known.
    """
    check_budget(max_bytes, max_flops)
    rows = []
    for method in sorted(METHODS.values(), key=lambda method: method.searches):
        if method.view not in view.views or method.give(what) is None:
            continue
        known = [row["flops"] for row in rows if row["reason"] is None]
        late = method.searches and known and min(known) < SOON
        if full or (method.exact and not late):
            rows.append(_row(method, view, places, what, max_bytes, max_flops))
    return EntanglementPlan(view, places, rows, max_bytes, max_flops, what)


def _row(method, view, places, what, max_bytes, max_flops):
    """One row of a plan."""
    row = {"method": method.name, "bytes": None, "flops": None, "reason": None}
    try:
        row = _costed(method.name, method.cost(view, places, what))
    except DeepNetError as error:
        return row | {"reason": str(error)}
    if row["bytes"] > max_bytes:
        row["reason"] = "too much memory"
    elif row["flops"] > max_flops:
        row["reason"] = "too many flops"
    elif not method.exact:
        row["reason"] = "approximate: only by name"
    return row


def choose(view, places, what, method, max_bytes, max_flops):
    """The method to use.

    Raises
    ------
    OptionError
        If the method is not known.
    MethodError
        If the method does not apply to the state.
    BudgetError
        If nothing fits.
    """
    check_option("method", method, ("auto", *METHODS))
    check_budget(max_bytes, max_flops)
    while method == "auto":
        plan = make_plan(view, places, what, max_bytes, max_flops)
        if plan.chosen is None:
            _refuse(plan)
        looked_at = view.views[METHODS[plan.chosen].view]
        try:
            looked_at.value
        except MethodError as error:  # this view does not represent the state
            looked_at.cannot_be_made(error)
        else:
            return METHODS[plan.chosen]
    chosen = METHODS[method]
    if chosen.view not in view.views or chosen.give(what) is None:
        able = [m.name for m in METHODS.values() if m.view in view.views and m.give(what)]
        what = "density" if what in ("density", "pair") else "spectrum"
        raise MethodError(
            f"method={method!r} does not give the {what} of this {view.name}; use one of {able}."
        )
    cost = chosen.cost(view, places, what)
    if cost.bytes > max_bytes or cost.flops > max_flops:
        _refuse(EntanglementPlan(view, places, [_costed(method, cost)], max_bytes, max_flops))
    return chosen


def _costed(name, cost):
    """A row of a plan."""
    return {"method": name, "bytes": cost.bytes, "flops": cost.flops, "reason": None}


def _refuse(plan):
    """Say what each method would need, and what to do instead."""
    view = plan.view
    costed = [row for row in plan.rows if row["bytes"] is not None]
    unfit = "".join(f" {r['method']}: {r['reason']}" for r in plan.rows if r["bytes"] is None)
    if not costed:
        raise MethodError(f"no method applies to this {view.name}.{unfit}")
    least = min(costed, key=lambda row: (row["bytes"] > plan.max_bytes, row["flops"]))
    size = least["bytes"]
    size = f"{size} bytes" if size < 2**70 else f"10**{_log10(size):.0f} bytes"
    needs = ", ".join(
        f"{row['method']} {readable_bytes(row['bytes'])} and 10**{_log10(row['flops']):.1f} flops"
        for row in costed
    )
    others = "".join(f"{way}, " for name, way in ALTERNATIVES.items() if name in view.views)
    raise BudgetError(
        f"{len(plan.places)} of {len(view.sites)} sites of a {view.name} need {size} by "
        f"{least['method']!r} ({needs}); that is beyond max_bytes={plan.max_bytes} or "
        f"max_flops={plan.max_flops:.0e}.{unfit} Use {others}a smaller subsystem, or raise the "
        "budget."
    )


def check_budget(max_bytes, max_flops):
    """Refuse budgets that are not positive numbers."""
    for name, value in (("max_bytes", max_bytes), ("max_flops", max_flops)):
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not value > 0:  # type: ignore[operator]
            raise OptionError(f"{name}={value!r} is not a budget; use a positive number.")


def check_options(function, method, options):
    """Refuse options that a method does not take."""
    known = set(inspect.signature(function).parameters) - {"view", "places"}
    if wrong := sorted(set(options) - known):
        raise OptionError(
            f"method {method!r} does not take {wrong[0]!r}; its options are {sorted(known)}. Name "
            "another method with method=."
        )
