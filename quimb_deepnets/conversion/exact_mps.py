"""Exact conversions to quimb's matrix product states, with bonds no larger than the state needs.

Both families pass a small *transfer state* from left to right. What the rest of the chain does with
it is a matrix; a QR decomposition per site keeps that small, and a sweep of SVDs back puts the
state into canonical form::

    state (l) --site n--> state (l')        G[n] (l, k):   psi = state . G[n] . (right part)
                 |
                s_n                         G[n] = step(s_n) G[n+1],  G[n]^T = Q R,  Q is the site

What the transfer state of each family is, and its size, is in `transfer_states`.
"""

import itertools
import math
from typing import Any

import numpy as np
from autoray import astype, do, get_dtype_name, stop_gradient, to_numpy
from quimb.tensor import MatrixProductState

from ..errors import (
    BudgetError,
    MethodError,
    OptionError,
    check_info,
    check_option,
    check_positive_int,
)
from ..evaluation.careful_gradients import refuse_far_apart
from ..hyper.sites import check_site_ids
from ..jobs.progress import progress
from ..numerics.scaled import Scaled, array_like
from ..numerics.sizes import epsilon
from ..numerics.torch_modes import full_precision
from ..numerics.traced import check_constant
from ..numerics.weights import MAX_BYTES
from ..tensors.expanded import RecursiveNetwork
from ..tensors.scale import check_normalize, place_scale
from ..tensors.weights_from_tensors import collapsible_network
from .cross_mps import cross_mps
from .drawn import check_conversion
from .transfer_states import transfer_of


@full_precision
def to_mps(
    network: Any,
    max_bond: int | None = None,
    cutoff: float = 1e-14,
    info: dict[str, Any] | None = None,
    site_ind_id: str = "k{}",
    site_tag_id: str = "I{}",
    progbar: bool = False,
    max_bytes: float = MAX_BYTES,
    method: str = "exact",
    normalize: bool | str = False,
    tol: float | None = None,
    max_evals: int | None = None,
    seed: Any = None,
) -> MatrixProductState:
    """The same state as a quimb `MatrixProductState`, exact unless it is truncated.

    Parameters
    ----------
    max_bond : int, optional
        Keep at most this many singular values at each cut.
    cutoff : float, optional
        Drop singular values below this, relative to the largest of their cut. The default drops
        round-off alone.
    info : dict, optional
        Gets ``"discarded_weight"``, the sum over cuts of the squared singular values dropped,
        relative to the squared norm, ``"transfer_sizes"``, those predicted,
        ``"cur_orthog"``, where the centre is, as quimb's own methods note it, and
        ``"log10_norm"``, of the state before it is normalised.
    site_ind_id, site_tag_id : str, optional
        Names of the outer indices and of the site tags; by default those of an expanded chain.
    progbar : bool, optional
        Show a progress bar over the sites.
    max_bytes : int, optional
        Refuse transfer states whose matrices would need more; only for ``"exact"``.
    method : {"exact", "cross"}, optional
        ``"cross"`` interpolates through amplitudes, for lattices and deep networks too; its error
        is measured into ``info["error"]``, see `cross_mps`.
    normalize : {False, True, "exponent"}, optional
        False keeps the norm of the state: in the tensor of the last site where its square fits
        the dtype, so that every method of quimb sees it, else in the ``exponent`` of the MPS,
        which most of them ignore. quimb's ``norm()``, ``overlap`` and ``normalize`` square it:
        beyond 10**154 they raise an `OverflowError`, below 10**-154 they lose digits and then
        return 0, as for any MPS; ``mps.norm(strip_exponent=True)`` is right at any scale. True
        gives norm 1 and no exponent, at any scale; quimb's ``entropy``, ``schmidt_values`` and
        ``measure`` take a state of norm 1 for granted.
        ``"exponent"`` gives tensors of norm 1 and puts the scale in the ``exponent``, always.
    tol, max_evals, seed : optional
        For ``"cross"`` alone, see `cross_mps`.

    Returns
    -------
    MatrixProductState
        Left-canonical, its orthogonality centre on the last site.

    Raises
    ------
    BudgetError
        If the predicted matrices are too large.
    MethodError
        For lattices, and for RACs of depth 3 or more, of which no small exact form is known; if
        amplitudes of configurations drawn from the result are not those of the network; or if a
        gradient would be lost with directions of zero weight.
    RangeError
        If the state vanishes, exactly or to the precision of its weights.
    OptionError
        If an option is not understood.

    Notes
    -----
    Depth 1 of a `RAC` is Eq. (3) of arXiv:1803.09780; the ranks of depth 2 are those of its
    Theorem 2. At depth 2 powers of degree N are taken, in coordinates in which all reachable
    ``h[1]`` are of size 1; as a rule that is exact to round-off (1e-12 at 64 sites). Whatever the
    network, 64 configurations are drawn from the result, and it is refused if their amplitudes
    are not those of the network to about the square root of the precision.

    Gradients by torch go through QR and SVD, which mix all entries of a matrix: derivatives are
    exact to round-off relative to the largest one of all, not each for itself. Where weights are
    far apart and the small derivatives matter, take those of ``log_amplitudes`` or ``to_dense``.

    Examples
    --------
    >>> import quimb_deepnets as qdn
    >>> mps = qdn.RAC.rand(40, depth=2, bond_dim=2, seed=0).to_mps(normalize=True)
    >>> mps.L, mps.max_bond() <= 2 * 40
    (40, True)
    >>> mps = qdn.RAC.rand(40, depth=1, bond_dim=4, seed=0).to_mps(normalize=True)
    >>> mps.max_bond(), round(float(mps.entropy(20)), 6)
    (4, 1.2852)
    """
    info = check_info(info)
    given = {"tol": tol, "max_evals": max_evals, "seed": seed}
    cross_opts = {name: x for name, x in given.items() if x is not None}
    check_site_ids(site_ind_id, site_tag_id, range(network.nsites))
    if check_option("method", method, ("exact", "cross")) == "cross":
        ids = {"site_ind_id": site_ind_id, "site_tag_id": site_tag_id, "progbar": progbar}
        return cross_mps(network, max_bond, cutoff, info, normalize=normalize, **ids, **cross_opts)
    if cross_opts:
        raise OptionError(
            f"{', '.join(cross_opts)} is not an option of method='exact'; leave it out, or use "
            "method='cross'."
        )
    check_normalize(normalize)
    if max_bond is not None:
        check_positive_int("max_bond", max_bond, OptionError)
    if not (isinstance(cutoff, (int, float)) and 0 <= cutoff < 1):
        raise OptionError(f"cutoff={cutoff!r} is not a relative size; use 0 <= cutoff < 1.")
    transfer = transfer_of(network)
    need = predicted_bytes(transfer, network.phys_dim)
    if need > max_bytes:
        raise BudgetError(
            f"the exact MPS has transfer states of up to {max(transfer.bounds())} and needs {need} "
            f"bytes, more than max_bytes={max_bytes}; use fewer layers or channels, or raise it."
        )
    info["transfer_sizes"] = transfer.bounds()
    sites, exponent = _right_sweep(transfer, network, progbar)
    check_conversion(
        network, [do("transpose", x, (2, 1, 0)) for x in sites], exponent * math.log(2)
    )
    arrays, more, discarded = _left_sweep(sites, max_bond, cutoff)
    if max_bond is None and any(getattr(x, "requires_grad", False) for x in arrays):
        _check_followed(network, [x.shape for x in arrays], cutoff)
    info.update(discarded_weight=discarded, cur_orthog=(network.nsites - 1,) * 2)
    mps = MatrixProductState(arrays, shape="lrp", site_ind_id=site_ind_id, site_tag_id=site_tag_id)
    place_scale(mps, exponent + more, normalize, info)
    return mps


def _state_to_mps(
    psi: Any,
    max_bond: int | None = None,
    cutoff: float = 1e-14,
    info: dict[str, Any] | None = None,
    site_ind_id: str | None = None,
    site_tag_id: str | None = None,
    progbar: bool = False,
    max_bytes: float = MAX_BYTES,
    method: str = "exact",
    normalize: bool | str = False,
    tol: float | None = None,
    max_evals: int | None = None,
    seed: Any = None,
) -> MatrixProductState:
    expanded = isinstance(psi, RecursiveNetwork)
    network = collapsible_network(psi) if expanded else psi.network
    chain = network.geometry.ndim == 1  # a chain made of a lattice is named by place
    own = (psi.site_ind_id, psi.site_tag_id) if chain else ("k{}", "I{}")
    return to_mps(
        network,
        max_bond,
        cutoff,
        info,
        own[0] if site_ind_id is None else site_ind_id,
        own[1] if site_tag_id is None else site_tag_id,
        progbar,
        max_bytes,
        method,
        normalize,
        tol,
        max_evals,
        seed,
    )


_state_to_mps.__doc__ = to_mps.__doc__


def _check_followed(network, shapes, cutoff):
    """Refuse a gradient through bonds that other weights would make larger.

    Directions that are dropped because they vanish for these weights alone have derivatives.

    Raises
    ------
    MethodError
    """
    rng, params = np.random.default_rng(0), {}
    for name, x in network._bare().params.items():
        step = array_like(rng.standard_normal(tuple(x.shape)), x)
        params[name] = x + astype(step, get_dtype_name(x)) * (1e-3 * do("max", do("abs", x)))
    near = to_mps(network.from_params(network.geometry, params), cutoff=cutoff)
    if any(math.prod(a) < math.prod(t.shape) for a, t in zip(shapes, near)):
        raise MethodError(
            "the bonds of the MPS are smaller than those of nearby weights, and what they leave "
            "out has a gradient; use net.to_dense(), net.collapse(), or weights without special "
            "structure."
        )


def predicted_bytes(transfer, M):
    """Bytes of all site tensors behind the right sweep, of three of the largest matrices, and of
    what the transfer matrices themselves take."""
    bounds = transfer.bounds()
    behind = (M ** min(len(bounds) - 1 - n, 64) for n in range(len(bounds)))
    kept = list(map(min, bounds, behind))
    sites = sum(a * b for a, b in itertools.pairwise(kept))
    largest = max(a * b for a, b in zip(bounds, kept[1:]))
    return 16 * M * (sites + 3 * largest) + transfer.own_bytes()


def _right_sweep(transfer, network, progbar):
    """Sites ``(k, M, k')``, the last one first, and the power of two that they leave out."""
    check_constant(network.params.leaves.values(), "to_mps")
    refuse_far_apart(network, "an MPS")
    (G, exponent), sites = Scaled.of(transfer.end()), []
    for n in progress(range(network.nsites)[::-1], progbar):
        step = transfer.step(n, G)  # (l, M, k)
        l, M, k = step.shape
        q, r = qr(do("transpose", step, (1, 2, 0)).reshape(M * k, l))
        sites.append(do("transpose", q.reshape(M, k, -1), (2, 0, 1)))  # (k_new, M, k)
        G, more = Scaled.of(do("transpose", r, (1, 0)))
        exponent += more
    sites[-1] = do("tensordot", transfer.start() @ G, sites[-1], axes=1)
    return sites, exponent + transfer.total()


def qr(x):
    """A matrix, or each of a stack, as an isometry times a matrix, ``x = q @ r``.

    Raises
    ------
    MethodError
        If a gradient is asked for where it does not exist: QR divides by the diagonal of ``r``.
    """
    q, r = do("linalg.qr", x)
    if getattr(x, "requires_grad", False):
        diagonal = do("abs", do("einsum", "...ii->...i", stop_gradient(r)[..., : r.shape[-2]]))
        least = r.shape[-1] * epsilon(x) * do("max", diagonal, axis=-1)
        if bool(do("any", do("min", diagonal, axis=-1) <= least)):
            raise MethodError(
                "matrices that are decomposed have less than full rank, where QR has no "
                "gradient; use method='dense' or 'reduced', or weights without special structure."
            )
    return q, r


def _adjoint(x):
    return do("conj", do("transpose", x, (1, 0)))


def _split(x, max_bond, cutoff):
    """``u @ rest`` after truncation, u an isometry; and the relative weight of what was dropped."""
    u, s, vh = do("linalg.svd", stop_gradient(x))
    kept = max(1, int((to_numpy(s) > cutoff * to_numpy(s[:1])).sum()))
    kept = kept if max_bond is None else min(kept, max_bond)
    total = float(do("sum", s**2))
    discarded = float(do("sum", s[kept:] ** 2)) / total if total else 0.0
    u, rest = u[:, :kept], s[:kept, None] * vh[:kept]
    if getattr(x, "requires_grad", False):
        # the derivative of the SVD divides by differences of values; that of this QR by 1
        u, _ = do("linalg.qr", x @ (_adjoint(vh[:kept]) / s[:kept]))
        rest = _adjoint(u) @ x
    return u, rest, discarded


def _left_sweep(sites, max_bond, cutoff):
    """SVDs from the left: arrays ``(l, r, p)``, the exponent of the norm, discarded weight.

    Pops the sites off their list, so that no array is held twice.
    """
    arrays, rest, discarded, scale = [], do("ones_like", sites[-1][:, 0, :1]), 0.0, 0.0
    while sites:
        n, site = len(arrays), sites.pop()
        k, M, right = site.shape
        x = (rest @ site.reshape(k, M * right)).reshape(-1, right)
        if not sites:
            norm = float(do("linalg.norm", stop_gradient(x)))
            arrays.append((x / norm).reshape(*([-1] if n else []), M))
            return arrays, scale + math.log2(norm), discarded
        u, rest, weight = _split(x, max_bond, cutoff)
        discarded += weight
        rest, shift = Scaled.of(rest)
        scale += shift
        u = u.reshape(-1, M, u.shape[1])
        arrays.append(u[0].T if n == 0 else do("transpose", u, (0, 2, 1)))
