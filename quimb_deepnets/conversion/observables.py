"""What quimb measures on matrix product states, for networks and states of hyper-indices.

::

    magnetization(i)      <S_i>                         S of spin (phys_dim - 1) / 2
    correlation(A, i, j)  <A_i B_j> - <A_i><B_j>        from local_expectation_exact
"""

from typing import Any

import quimb as qu
from autoray import do

from ..errors import SitesError, check_option
from ..hyper.operands import in_common
from ..networks import DeepNetwork
from ..numerics.weights import as_array

DIRECTIONS = ("X", "Y", "Z")


def magnetization(state: Any, i: Any, direction: str = "Z") -> Any:
    """The expectation value of a spin, exactly, of the normalised state; see quimb's MPS.

    Parameters
    ----------
    i : site
    direction : {"Z", "X", "Y"}, optional
        The spin is that of ``quimb.spin_operator``: 1/2 for two states of a site.

    Returns
    -------
    scalar
        Real.

    Raises
    ------
    SitesError, OptionError
        If the site or the direction does not exist.
    RangeError, BudgetError
        As `local_expectation_exact`.

    Notes
    -----
    The MPS of quimb 1.15 takes the transpose of the spin, so that its "Y" has the other sign.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> net = qdn.ConvAC.graph_state(8, distance=1, kernel=2)
    >>> round(float(net.magnetization(3)), 12) + 0.0
    0.0
    """
    check_option("direction", direction, DIRECTIONS)
    found = _listed(state, i, 1)
    size = state.phys_dim if isinstance(state, DeepNetwork) else state.phys_dim(found[0])
    spin = qu.spin_operator(direction, S=(size - 1) / 2).A
    spin = spin if direction == "Y" else spin.real.copy()
    return do("real", state.local_expectation_exact(spin, found))


def correlation(state: Any, A: Any, i: Any, j: Any, B: Any = None) -> Any:
    """The connected correlation ``<A_i B_j> - <A_i><B_j>``, exactly, as quimb's MPS has it.

    Parameters
    ----------
    A : array
        An operator on one site, or on the sites of ``i``.
    i, j : site or sequence of sites
        The same sites for both, or none in common.
    B : array, optional
        An operator on ``j``; by default ``A``.

    Returns
    -------
    scalar

    Raises
    ------
    SitesError, OptionError
        If a site does not exist, they overlap in part, or an operator has another size.
    RangeError, BudgetError
        As `local_expectation_exact`.

    Examples
    --------
    >>> import quimb as qu
    >>> import quimb_deepnets as qdn
    >>> net = qdn.ConvAC.graph_state(8, distance=1, kernel=2)
    >>> round(float(net.correlation(qu.pauli("Z").real, 2, 3)), 12) + 0.0
    0.0
    """
    A, B = _matrix(A), _matrix(A if B is None else B)
    mean = state.local_expectation_exact(A, i) * state.local_expectation_exact(B, j)
    first, second = _listed(state, i), _listed(state, j)
    A, B = in_common(A, B), in_common(B, A)
    if first == second:
        return state.local_expectation_exact(B @ A, first) - mean
    if shared := set(first) & set(second):
        raise SitesError(
            f"i={i!r} and j={j!r} share {sorted(shared)}; give regions that are equal or have no "
            "site in common."
        )
    return state.local_expectation_exact(do("kron", A, B), first + second) - mean


def _matrix(G):
    """An operator as an array."""
    return as_array(G.toarray() if hasattr(G, "toarray") else G)


def _listed(state, where, count=None):
    """Sites as a list, of so many."""
    try:
        found = [where] if where in state.sites else list(where)
    except TypeError:
        found = []
    if not found or (count is not None and len(found) != count):
        raise SitesError(f"{where!r} is not a site of this state; give one of {state.sites[:3]}...")
    return found
