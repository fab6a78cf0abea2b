"""What is refused before a network is contracted, and before its result is differentiated.

::

    arrays --check_network--> one dtype, one size for each index, entries that adjoints can follow
    arrays --with_slopes_checked--> the same, whose derivatives stay within the range, too
    two    --check_same_outer---> quimb networks, of the same sites
"""

import math

from autoray import get_dtype_name

from ..errors import OptionError, RangeError, SitesError
from ..numerics.scaled import float_info, look, modulus, readable
from ..numerics.weights import DTYPES


def check_dtypes(arrays):
    """Refuse numbers of half or extended precision, for which nothing here is exact to round-off.

    Raises
    ------
    OptionError
    """
    for name in {get_dtype_name(x) for x in arrays}:
        if not name.startswith(("int", "uint", "bool")) and name not in DTYPES:
            raise OptionError(
                f"the network holds arrays of dtype {name}; use one of {', '.join(DTYPES)}, as in "
                "psi.astype('float64')."
            )


def check_network(tn):
    """Refuse a network of several dtypes or sizes, or whose gradient floats cannot follow.

    Raises
    ------
    DeepNetError
        See `check_dtypes`, `check_sizes`, `check_gradients`.
    """
    check_dtypes(tn.arrays)
    check_sizes(tn)
    check_gradients(tn.arrays)


def check_gradients(arrays):
    """Refuse to differentiate arrays whose entries are further apart than adjoints reach.

    Entries 2**256 (2**64 in single precision) apart: a few such factors, and an adjoint is lost.

    Raises
    ------
    RangeError
    """
    for x in arrays:
        if not getattr(x, "requires_grad", False) or not readable(x):
            continue
        size, limits = modulus(look(x)), float_info(x)
        low, high = size.min(where=size > 0, initial=math.inf), size.max(initial=0.0)
        if low < high * 2.0 ** -(256 if limits.maxexp > 128 else 64):
            raise RangeError(
                f"a tensor that requires grad has entries from {low:.0e} to {high:.0e}, and floats "
                "cannot hold the products of their derivatives; use amplitude or log_amplitudes "
                "of the network, or weights that are closer together, or detach them."
            )


def with_slopes_checked(tn):
    """The same network; what torch follows of it refuses derivatives that are inf or nan.

    Only the pass backwards can tell: a small entry of an intermediate has a derivative far larger
    than the result divided by any weight.
    """
    followed = [x for x in tn.arrays if getattr(x, "requires_grad", False) and readable(x)]
    if not followed:
        return tn
    checked = {id(x): x.view_as(x) for x in followed}
    for x in checked.values():
        x.register_hook(_check_slopes)
    tn = tn.copy()
    tn.apply_to_arrays(lambda x: checked.get(id(x), x))
    return tn


def _check_slopes(slopes):
    """Refuse derivatives that are not finite.

    Raises
    ------
    RangeError
    """
    if not bool(slopes.isfinite().all()):
        raise RangeError(
            f"derivatives of a contraction leave the range of {get_dtype_name(slopes)}; "
            "differentiate its logarithm with strip_exponent=True, or normalize() the state first."
        )


def check_sizes(tn):
    """Refuse a network in which one index has two sizes.

    Raises
    ------
    SitesError
    """
    sizes = {}
    for t in tn:
        for ix, size in zip(t.inds, t.shape):
            if sizes.setdefault(ix, size) != size:
                raise SitesError(
                    f"the index {ix!r} has the dimension {sizes[ix]} on one tensor and {size} on "
                    "another; contract states with the same phys_dim."
                )


def as_state(phi):
    """The argument if it is a quimb network; for ConvAC, RAC or RBM an error says what to do."""
    if hasattr(phi, "to_tensor_network"):
        raise SitesError(
            f"{type(phi).__name__} evaluates amplitudes and is not a quimb network; give "
            "net.collapse(), or net.to_tensor_network()."
        )
    if not hasattr(phi, "as_network"):
        raise SitesError(
            f"{type(phi).__name__} is not a quimb network; give one, such as "
            "qtn.Dense1D(vector) for a dense vector of a chain."
        )
    return phi.as_network()


def check_same_outer(psi, phi):
    """Refuse two networks with different outer indices."""
    mine, theirs = set(psi.outer_inds()), set(as_state(phi).outer_inds())
    if mine != theirs:
        raise SitesError(
            f"the outer indices differ: {sorted(mine - theirs)[:4]} only here, "
            f"{sorted(theirs - mine)[:4]} only there; give both states the same sites and "
            "site_ind_id (reindex_all renames them), and join duplicated legs with dup."
        )
    phi = phi.as_network()
    for ix in sorted(mine):
        if psi.ind_size(ix) != phi.ind_size(ix):
            raise SitesError(
                f"the index {ix!r} has the dimension {psi.ind_size(ix)} here and "
                f"{phi.ind_size(ix)} there; give two states with the same phys_dim."
            )
