"""Method "dense": all entries of the state as a matrix, one side by the other.

::

    psi (D,)  -->  (A, B)  -->  singular values, or  rho = psi psi^dagger  (A, A)
"""

from autoray import do

from ..registry import Method, add_method
from ..spectra import MAX_SVD, spectrum_of_matrix
from ..views import Cost, as_flops


def cost(view, places, what="spectrum"):
    """Twice the entries for the matrix, next to what the state itself takes."""
    made = view.views["vector"].cost
    a, b = sorted((view.dim(places), view.dim(view.rest(places))))
    square = 2 * a * a if a > MAX_SVD else 0
    slow = 4 if a > MAX_SVD and what == "tail" else 1  # singular values, not a Gram matrix
    work = as_flops(slow * (2 * a * a * b + 4 * a**3))
    return Cost(made.bytes + (2 * a * b + square) * view.itemsize, made.flops + work)


def matrix(view, places):
    """The state as a matrix ``(dim of places, dim of the rest)``."""
    order = (*places, *view.rest(places))
    tensor = do("transpose", view.views["vector"].value.reshape(view.dims), order)
    return tensor.reshape(view.dim(places), -1)


def spectrum(view, places, progbar=False):
    """The spectrum from a singular value decomposition, or from a Gram matrix if that is large."""
    return spectrum_of_matrix(matrix(view, places), len(view.sites))


def tail(view, places, progbar=False):
    """The spectrum from a singular value decomposition, however large."""
    return spectrum_of_matrix(matrix(view, places), len(view.sites), tail=True)


def density(view, places, progbar=False):
    """The density matrix of the places."""
    x = matrix(view, places)
    return x @ do("conj", do("transpose", x, (1, 0)))


add_method(Method("dense", "vector", cost, spectrum, density=density, tail=tail))
