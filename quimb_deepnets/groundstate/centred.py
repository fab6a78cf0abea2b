"""Derivatives less their mean, weighed, of rows or of factors: what a step needs of a matrix.

::

    A = sqrt(w) (O - <O>)        A x,  A^+ y,  A A^+      from the factors of O, without its rows

    A A^+ = sqrt(w) (G - g - g^+ + <g>) sqrt(w)           G = O O^+,  g = G w,  <g> = w G w
"""

from typing import Any

import numpy as np

from ..evaluation.factored_rows import FactoredRows

CANCELLED = 1e-6  # of the size of derivatives: where centring leaves less, rows are centred


def centred(derivatives: Any, weights: np.ndarray) -> Any:
    """Rows less their mean, times roots of weights.

    Parameters
    ----------
    derivatives : numpy.ndarray or FactoredRows, shape (n, P)
    weights : numpy.ndarray, shape (n,)
        Of sum 1.

    Returns
    -------
    numpy.ndarray or CentredRows, shape (n, P)
    """
    if isinstance(derivatives, FactoredRows):
        return CentredRows(derivatives, weights)
    return (derivatives - weights @ derivatives) * np.sqrt(weights)[:, None]


class CentredRows:
    """Rows in factors, less their mean, times roots of weights; `numpy.asarray` writes them out.

    Parameters
    ----------
    factored : FactoredRows, shape (n, P)
    weights : numpy.ndarray, shape (n,)
        Of sum 1.

    Examples
    --------
    >>> import numpy as np
    >>> from quimb_deepnets.evaluation.factored_rows import FactoredRows
    >>> from quimb_deepnets.groundstate.centred import CentredRows
    >>> s, t = np.array([[1.0], [-1.0]]), np.array([[1.0, 0.5], [0.5, 0.0]])
    >>> A = CentredRows(FactoredRows((s, t), ((0,), (1, 0))), np.array([0.5, 0.5]))
    >>> rows = np.asarray(A)
    >>> bool(np.allclose(A.gram(), rows @ rows.T)), rows.shape
    (True, (2, 3))
    """

    def __init__(self, factored: FactoredRows, weights: np.ndarray) -> None:
        self._O, self._w, self._root = factored, weights, np.sqrt(weights)
        self.shape, self.dtype = factored.shape, factored.dtype

    def __array__(self, dtype=None, copy=None):
        return centred(self._O.rows(), self._w).astype(dtype or self.dtype, copy=False)

    def __matmul__(self, x: np.ndarray) -> np.ndarray:
        """The matrix times a vector, ``(n,)``."""
        moved = self._O @ x
        return (moved - self._w @ moved) * self._root

    def adjoint(self, y: np.ndarray) -> np.ndarray:
        """The adjoint of the matrix times a vector, ``(P,)``."""
        y = self._root * y
        return self._O.adjoint(y - self._w * y.sum())

    def gram(self) -> np.ndarray:
        """The matrix times its adjoint, ``(n, n)``."""
        G, root = self._O.gram(), self._root
        size = self._w @ G.diagonal().real
        mean = G @ self._w
        G -= (mean - (self._w @ mean).real / 2)[:, None]
        G -= mean.conj() - (self._w @ mean).real / 2
        G *= root[:, None]
        G *= root
        if not np.trace(G).real > CANCELLED * size:
            rows = np.asarray(self)
            return rows @ rows.conj().T
        return G
