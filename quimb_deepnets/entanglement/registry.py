"""The table of methods, and which of them is taken: planned in integers, before any array.

::

    state, where --> StateView --> for each method: Cost or why not --> the cheapest that fits
                                                                              |
                                      Spectrum or density matrix   <----------+

Each method is one file that registers itself with `add_method`; so can a user's.
"""

import inspect
import math
from dataclasses import dataclass

from ..errors import BudgetError, DeepNetError, MethodError, OptionError, check_option
from ..networks.base import MAX_BYTES

MAX_FLOPS = 1e15  # some hours on one core
SOON = 1e9  # flops: with a method this cheap nothing is gained by a search for contraction paths

METHODS = {}


@dataclass(frozen=True)
class Method:
    """One way to find the spectrum of a reduced density matrix, or the matrix itself.

    Parameters
    ----------
    name : str
    face : str
        What it looks at; it applies to states with that face.
    cost : callable
        ``cost(view, places, what="spectrum") -> Cost``, all in all; may raise a `DeepNetError`.
    spectrum : callable
        ``spectrum(view, places, progbar=False, **options) -> Spectrum``.
    sweep : callable, optional
        ``sweep(view, cuts, progbar=False) -> list[Spectrum]``, all cuts of the order of sites.
    density : callable, optional
        ``density(view, places, progbar=False, **options) -> array``, of any trace.
    searches : bool, optional
        Whether its cost comes from a search for contraction paths, which takes a while itself.
    exact : bool, optional
        Whether it is exact to round-off; others are taken only by name.

    Examples
    --------
    See ``examples/entropy_of_your_own_state.py``.
    """

    name: str
    face: str
    cost: object
    spectrum: object
    sweep: object = None
    density: object = None
    searches: bool = False
    exact: bool = True


def add_method(method):
    """Add a method to the table, under its name.

    Raises
    ------
    OptionError
        If there is one of that name.
    """
    if method.name in METHODS or method.name == "auto":
        raise OptionError(f"there is a method {method.name!r} already; choose another name.")
    METHODS[method.name] = method
    return method


class EntanglementPlan:
    """What each method would cost for a subsystem, and the one that is taken.

    Attributes
    ----------
    rows : list[dict]
        ``method``, ``bytes``, ``flops``, and ``reason``: why it is not taken, or None.
    chosen : str or None
        The name of the cheapest method that fits.
    """

    def __init__(self, view, places, rows, max_bytes):
        self.view, self.places, self.rows, self.max_bytes = view, places, rows, max_bytes
        fitting = [row for row in rows if row["reason"] is None]
        self.chosen = min(fitting, key=lambda row: row["flops"])["method"] if fitting else None

    def __repr__(self):
        lines = [
            f"EntanglementPlan for {len(self.places)} of {len(self.view.sites)} sites of a "
            f"{self.view.name}, at most {readable_bytes(self.max_bytes)}:",
            f"  {'method':10} {'memory':>10} {'log10 flops':>12}",
        ]
        for row in self.rows:
            mark = "*" if row["method"] == self.chosen else " "
            memory = "" if row["bytes"] is None else readable_bytes(row["bytes"])
            flops = "" if row["flops"] is None else f"{_log10(row['flops']):.1f}"
            reason = f"  {row['reason']}" if row["reason"] else ""
            lines.append(f"{mark} {row['method']:10} {memory:>10} {flops:>12}{reason}".rstrip())
        return "\n".join(lines)


def _log10(flops):
    return math.log10(max(1.0, flops)) if math.isfinite(flops) else math.inf


def readable_bytes(count):
    """Bytes in the unit that suits, ``"1.5 MiB"``."""
    if count < 1024:
        return f"{count} B"
    for unit in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        count = count / 1024 if count < 1024**20 else math.inf
        if count < 1024:
            return f"{count:.1f} {unit}"
    return f"{count / 1024:.1e} EiB" if math.isfinite(count) else "far more"


def make_plan(view, places, what="spectrum", max_bytes=MAX_BYTES, max_flops=MAX_FLOPS, full=True):
    """Cost every method that applies to a state, see `EntanglementPlan`.

    Parameters
    ----------
    view : StateView
    places : tuple[int]
    what : {"spectrum", "density"}, optional
        What is asked for.
    max_bytes, max_flops : number, optional
        The budget.
    full : bool, optional
        Search for contraction paths even where something cheap is known.
    """
    rows = []
    for method in sorted(METHODS.values(), key=lambda method: method.searches):
        if method.face not in view.faces or getattr(method, what) is None:
            continue
        known = [row["flops"] for row in rows if row["reason"] is None]
        if method.searches and not full and known and min(known) < SOON:
            continue
        rows.append(_row(method, view, places, what, max_bytes, max_flops))
    return EntanglementPlan(view, places, rows, max_bytes)


def _row(method, view, places, what, max_bytes, max_flops):
    """One row of a plan."""
    row = {"method": method.name, "bytes": None, "flops": None, "reason": None}
    try:
        row["bytes"], row["flops"] = method.cost(view, places, what)
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
        If there is no such method.
    MethodError
        If the state cannot be looked at that way.
    BudgetError
        If nothing fits.
    """
    check_option("method", method, ("auto", *METHODS))
    if method == "auto":
        plan = make_plan(view, places, what, max_bytes, max_flops, full=False)
        if plan.chosen is None:
            _refuse(plan, max_bytes, max_flops)
        return METHODS[plan.chosen]
    chosen = METHODS[method]
    if chosen.face not in view.faces or getattr(chosen, what) is None:
        able = [m.name for m in METHODS.values() if m.face in view.faces and getattr(m, what)]
        raise MethodError(
            f"method={method!r} does not give the {what} of a {view.name}; use one of {able}."
        )
    cost = chosen.cost(view, places, what)
    if cost.bytes > max_bytes or cost.flops > max_flops:
        row = {"method": method, "bytes": cost.bytes, "flops": cost.flops, "reason": "too much"}
        _refuse(EntanglementPlan(view, places, [row], max_bytes), max_bytes, max_flops)
    return chosen


def _refuse(plan, max_bytes, max_flops):
    """Say what the cheapest method would need, and what to do instead."""
    costed = [row for row in plan.rows if row["bytes"] is not None]
    if not costed:
        raise MethodError(
            f"no method applies to this {plan.view.name}: "
            + "; ".join(f"{row['method']}: {row['reason']}" for row in plan.rows)
        )
    small = min(costed, key=lambda row: row["bytes"])
    needs = ", ".join(
        f"{row['method']} {row['bytes']} bytes and 10**{_log10(row['flops']):.1f} flops"
        for row in costed
    )
    raise BudgetError(
        f"{len(plan.places)} of {len(plan.view.sites)} sites of a {plan.view.name} need at least "
        f"{small['bytes']} bytes ({needs}), more than max_bytes={max_bytes} or "
        f"max_flops={max_flops:.0e} allow; use renyi2_estimate, which samples amplitudes, a "
        "smaller subsystem, or raise the budget."
    )


def check_options(function, method, options):
    """Refuse options that a method does not take."""
    known = set(inspect.signature(function).parameters) - {"view", "places"}
    if wrong := sorted(set(options) - known):
        raise OptionError(
            f"method {method!r} takes no {wrong[0]!r}; its options are {sorted(known)}. Name "
            "another method with method=."
        )
