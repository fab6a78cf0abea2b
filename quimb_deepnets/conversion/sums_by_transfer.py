"""Sums over all configurations by transfer matrices, where a network is a chain that repeats.

::

    net --.                                     .--> norm, overlap, expectation value
          +--> transfer matrices, if they cost least
    phi --'  a collapsed state, as long as its tensors are those of its network: what was gated,
             scaled, renamed or is differentiated tensor by tensor is contracted as it stands
"""

from typing import Any

from autoray import do

from ..errors import RangeError
from ..exact.transfer_density import density
from ..exact.transfer_routes import transfer_of_state
from ..hyper.operands import expectation, is_negligible, read_operator
from ..hyper.ranges import Contracted
from ..hyper.vector import HyperVector
from ..numerics.traced import is_followed
from ..tensors.collapsed import CollapsedVector, source_network


def total_by_transfer(net: Any, other: Any = None) -> Contracted | None:
    """The overlap (of one network its squared norm) by transfer matrices; None if by other means.

    What cancels to round-off is left to a contraction, term by term.
    """
    if (transfer := transfer_of_state(net, other)) is None:
        return None
    try:
        transfer.total.check_norm()
    except RangeError:
        return None
    return transfer.total


def expectation_by_transfer(net: Any, G: Any, places: tuple[int, ...], normalized: Any) -> Any:
    """An expectation value from the density matrix of some sites; None if by other means."""
    if (transfer := transfer_of_state(net, places=places)) is None:
        return None
    G = read_operator(G, (net.phys_dim,) * len(places), net._like)
    found = density(transfer, places)
    if is_negligible(G, found.array):
        return None
    trace = do("trace", found.array)
    if normalized is True:
        found.check_norm(trace)
        return expectation(G, found.array / trace)
    rho = found.in_range()
    if normalized == "return":
        return expectation(G, rho), do("trace", rho)
    return expectation(G, rho)


def _networks(*states):
    """The networks of collapsed states that may go by transfer matrices; None if one may not.

    That their tensors are still those of the networks is looked at last, because it takes longest.
    """
    nets = [phi._source[1] for phi in states if getattr(phi, "_source", None) is not None]
    if len(nets) < len(states) or transfer_of_state(*nets) is None:
        return None
    if any(is_followed(t.data) for phi in states for t in phi):
        return None
    return None if any(source_network(phi) is None for phi in states) else nets


def norm(
    phi: Any,
    output_inds: Any = None,
    squared: bool = False,
    strip_exponent: bool = False,
    **contract_opts: Any,
) -> Any:
    """The norm of a collapsed state, see quimb; by transfer matrices where a chain repeats.

    Raises
    ------
    RangeError
        If it leaves the range of the dtype; ``strip_exponent=True`` returns mantissa and exponent.
    """
    nets = _networks(phi) if output_inds is None and not contract_opts else None
    if nets and (found := total_by_transfer(*nets)) is not None:
        found, power = found.map(abs), 1 if squared else 0.5
        return found.decimal(power) if strip_exponent else found.in_range(power)
    return HyperVector.norm(phi, output_inds, squared, strip_exponent, **contract_opts)


def overlap(phi: Any, other: Any, output_inds: Any = None, **contract_opts: Any) -> Any:
    """The overlap with another state, see quimb; by transfer matrices where both repeat.

    Raises
    ------
    SitesError
        If the outer indices differ.
    RangeError
        If it leaves the range of the dtype; ``strip_exponent=True`` returns mantissa and exponent.
    """
    strip = contract_opts.get("strip_exponent", False)
    plain = output_inds is None and not contract_opts.keys() - {"strip_exponent"}
    if plain and isinstance(other, CollapsedVector) and phi.site_ind_id == other.site_ind_id:
        nets = _networks(phi, other)
        if nets and (found := total_by_transfer(*nets)) is not None:
            return found.decimal() if strip else found.in_range()
    return HyperVector.overlap(phi, other, output_inds, **contract_opts)


def local_expectation_exact(
    phi: Any,
    G: Any,
    where: Any,
    optimize: Any = None,
    normalized: bool | str = True,
    rehearse: bool | str = False,
    **opts: Any,
) -> Any:
    """The expectation value of an operator on one site or several, see quimb.

    By transfer matrices where a chain repeats.

    Raises
    ------
    SitesError
        If a site does not exist, or was fixed or contracted.
    OptionError
        If the operator is not an array of numbers, or has another size.
    RangeError
        If the state vanishes.
    """
    plain = optimize is None and not rehearse and not opts
    if plain and normalized in (True, False, "return") and (nets := _networks(phi)):
        places = tuple(map(phi.sites.index, phi._kept_sites(where)))
        found = expectation_by_transfer(nets[0], G, places, normalized)
        if found is not None:
            return found
    return HyperVector.local_expectation_exact(
        phi, G, where, optimize, normalized, rehearse, **opts
    )
