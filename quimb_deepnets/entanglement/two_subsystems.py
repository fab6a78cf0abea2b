"""Measures of two subsystems of one state: mutual information and logarithmic negativity, in bits.

::

    sites    0 1 2 3 4 5 6 7        S(A) + S(B) - S(AB)
             [ A ]   [ B ]
"""

import math
from collections.abc import Sequence
from typing import Any

from autoray import do

from ..numerics.weights import MAX_BYTES
from .arguments import (
    File,
    Options,
    documented,
    pair_at,
    read_two,
    refuse_checkpoint,
    spectrum_at,
)
from .registry import MAX_FLOPS
from .spectra import as_float, not_negative


@documented
def mutinf_subsys(
    state: Any,
    sysa: Any,
    sysb: Any,
    *,
    dims: Sequence[int] | None = None,
    method: str = "auto",
    max_bytes: float = MAX_BYTES,
    max_flops: float = MAX_FLOPS,
    progbar: bool = False,
    checkpoint: File = None,
    executor: Any = None,
    tol: float | None = None,
    seed: Any = None,
) -> Any:
    """The mutual information of two subsystems, S(A) + S(B) - S(AB), in bits.

    Parameters
    ----------
    {state}
    sysa, sysb : site or sequence of sites
        Disjoint; here an int is a site, as in quimb's ``mutinf_subsys``.
    dims, method, max_bytes, max_flops, progbar, executor, tol, seed
        See `entropy`.
    checkpoint : None
        Must be None: a checkpoint file keeps only one subsystem.

    Returns
    -------
    scalar

    Raises
    ------
    {raises}

    Examples
    --------
    >>> import quimb as qu
    >>> import quimb_deepnets as qdn
    >>> round(float(qdn.mutinf_subsys(qu.ghz_state(4), 0, [1, 2], dims=[2] * 4)), 12)
    1.0
    """
    view, a, b = read_two(state, sysa, sysb, dims)
    refuse_checkpoint(checkpoint)
    options = Options(method, max_bytes, max_flops, progbar, checkpoint, executor, tol, seed)
    spectra = [spectrum_at(view, places, options) for places in (a, b, (*a, *b))]
    parts = [spectrum.entropy() for spectrum in spectra]
    rounding = sum(s.rounding * (1 + as_float(x)) for s, x in zip(spectra, parts))
    return not_negative(parts[0] + parts[1] - parts[2], rounding)


@documented
def logneg_subsys(
    state: Any,
    sysa: Any,
    sysb: Any,
    *,
    dims: Sequence[int] | None = None,
    method: str = "auto",
    max_bytes: float = MAX_BYTES,
    max_flops: float = MAX_FLOPS,
    progbar: bool = False,
    checkpoint: File = None,
    executor: Any = None,
    tol: float | None = None,
    seed: Any = None,
) -> Any:
    """The logarithmic negativity of two subsystems, in bits.

    Where the two are the whole state it is read from the Schmidt values; else from the density
    matrix of both, by method ``"cut"`` in bases no larger than the cuts around each.

    Parameters
    ----------
    {state}
    sysa, sysb : site or sequence of sites
        Disjoint; here an int is a site, as in quimb's ``logneg_subsys``.
    dims, method, max_bytes, max_flops, progbar, checkpoint, executor, tol, seed
        See `entropy`.

    Returns
    -------
    scalar

    Raises
    ------
    {raises}

    Examples
    --------
    >>> import quimb as qu
    >>> import quimb_deepnets as qdn
    >>> round(float(qdn.logneg_subsys(qu.bell_state("phi+"), 0, 1, dims=[2, 2])), 12)
    1.0
    """
    view, a, b = read_two(state, sysa, sysb, dims)
    options = Options(method, max_bytes, max_flops, progbar, checkpoint, executor, tol, seed)
    if len(a) + len(b) == len(view.sites):
        return spectrum_at(view, a, options, tail=True).renyi(0.5)
    rho = pair_at(view, a, b, options)
    flipped = do("transpose", rho, (2, 1, 0, 3)).reshape(rho.shape[0] * rho.shape[1], -1)
    size = do("sum", do("abs", do("linalg.eigvalsh", flipped)))
    return do("clip", do("log2", size), 0.0, math.inf)
