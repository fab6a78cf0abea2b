"""Matrix product states as recurrent circuits, exactly.

A step of a RAC multiplies what it remembers with what it reads. With a channel for each pair of a
bond value and a state of the last site, the product selects the matrix of that state::

    W_H[(b', s'), (b, s)] = A[b, s', b']      all matrices at once, whatever s was
    W_I[(b', s'), s_t]    = delta(s', s_t)    the product keeps the one of the site that is read

Where the matrices differ from site to site, channels are further divided by site, because all
steps share their weights: each step moves from one block to the next.
"""

from typing import Any

import numpy as np
import quimb.tensor as qtn
from autoray import to_numpy

from ..errors import BudgetError, OptionError, RangeError, StructureError, check_positive_int
from ..networks import RAC
from ..numerics.weights import MAX_BYTES


def from_mps(mps: Any, max_bytes: float = MAX_BYTES) -> RAC:
    """A matrix product state of quimb as a RAC of depth 1, exactly.

    Parameters
    ----------
    mps : quimb.tensor.MatrixProductState
        With open ends and at least two sites of one dimension. Where the matrices of all sites are
        equal, and the ends are vectors times them, the hidden size is ``bond * phys_dim``; else
        about the sum of that over all sites, because all steps share their weights.
    max_bytes : int, optional
        Refuse weights that would need more.

    Returns
    -------
    RAC
        Of numpy arrays.

    Raises
    ------
    StructureError
        If it is not such a state.
    BudgetError
        If the weights would be too large.
    RangeError
        If the scale in the ``exponent`` leaves the range of floats.

    Examples
    --------
    >>> import numpy as np
    >>> import quimb.tensor as qtn
    >>> import quimb_deepnets as qdn
    >>> mps = qtn.MPS_rand_state(6, 3, seed=0)
    >>> np.allclose(qdn.RAC.from_mps(mps).to_dense(), mps.to_dense())
    True
    """
    check_positive_int("max_bytes", max_bytes, OptionError)
    cores, scale = _cores(mps)
    ends = _uniform_ends(cores)
    if ends is not None:
        before, behind = ends
        return _uniform(len(cores), cores[1], before, behind * scale, max_bytes)
    return _by_steps(cores, scale, max_bytes)


def _cores(mps):
    """The matrices of each site, ``(left, d, right)``, and the number before all of them."""
    if not isinstance(mps, qtn.MatrixProductState) or mps.cyclic or mps.L < 2:
        raise StructureError(
            f"from_mps takes a quimb MatrixProductState of at least two sites with open ends, not "
            f"a {type(mps).__name__}; open a ring first, as in mps.to_dense() and "
            "MatrixProductState.from_dense, or give net.to_mps()."
        )
    scale = 10.0 ** float(mps.exponent) if abs(mps.exponent) < 300 else 0.0
    if not scale:
        raise RangeError(
            f"the scale 10**{float(mps.exponent):.0f} of the state leaves the range of floats; "
            "normalise it first."
        )
    mps = mps.copy()
    mps.permute_arrays("lpr")
    cores = [to_numpy(x) for x in mps.arrays]
    cores[0], cores[-1] = cores[0][None], cores[-1][..., None]
    if len(dims := {x.shape[1] for x in cores}) > 1:
        raise StructureError(
            f"the sites of the state have the dimensions {sorted(dims)}, and those of a RAC have "
            "one; give a state whose sites are alike."
        )
    return cores, scale


def _uniform_ends(cores):
    """The vectors before and behind equal matrices; None if they are not equal."""
    if len(cores) < 3 or any(
        x.shape != cores[1].shape or (x != cores[1]).any() for x in cores[1:-1]
    ):
        return None
    A = cores[1]
    if A.shape[0] != A.shape[2]:
        return None
    first, last = cores[0][0], cores[-1][..., 0]
    before = np.linalg.lstsq(A.reshape(len(A), -1).T, first.ravel(), rcond=None)[0]
    behind = np.linalg.lstsq(A.reshape(-1, len(A)), last.ravel(), rcond=None)[0]
    eps = 64 * len(A) * np.finfo(A.dtype).eps
    near = lambda x, y: abs(x - y).max() <= eps * abs(y).max()
    if near(np.tensordot(before, A, 1), first) and near(A @ behind, last):
        return before, behind
    return None


def _check_bytes(hidden, like, max_bytes):
    need = hidden**2 * like.itemsize
    if need > max_bytes:
        raise BudgetError(
            f"a hidden size of {hidden} needs {need} bytes of weights, more than "
            f"max_bytes={max_bytes}; compress the state first, or raise max_bytes."
        )


def _uniform(length, A, before, behind, max_bytes):
    """Equal matrices: the channels are pairs of a bond value and a state of the last site."""
    D, d, _ = A.shape
    _check_bytes(D * d, A, max_bytes)
    hidden = np.repeat(A.transpose(2, 1, 0).reshape(D * d, D), d, axis=1)
    start = np.zeros((D, d), A.dtype)
    start[:, 0] = before
    inputs = np.tile(np.eye(d, dtype=A.dtype), (D, 1))
    return RAC(length, [hidden], [inputs], [start.ravel()], np.repeat(behind, d))


def _by_steps(cores, scale, max_bytes):
    """Other matrices: a block of channels for each site, and one channel to begin with."""
    d, dtype = cores[0].shape[1], np.result_type(*cores)
    sizes = [1, *(d * x.shape[2] for x in cores)]
    ends = np.cumsum(sizes)
    R = int(ends[-1])
    _check_bytes(R, np.zeros(0, dtype), max_bytes)
    hidden, inputs = np.zeros((R, R), dtype), np.zeros((R, d), dtype)
    for n, A in enumerate(cores):
        block = A.transpose(2, 1, 0).reshape(-1, len(A))
        copies = sizes[n] // len(A)  # a value of the bond, for each state of the site before
        rows, columns = slice(ends[n], ends[n + 1]), slice(ends[n] - sizes[n], ends[n])
        hidden[rows, columns] = np.repeat(block, copies, axis=1)
        inputs[rows] = np.tile(np.eye(d), (A.shape[2], 1))
    start, readout = np.zeros(R, dtype), np.zeros(R, dtype)
    start[0], readout[-sizes[-1] :] = 1, scale
    return RAC(len(cores), [hidden], [inputs], [start], readout)
