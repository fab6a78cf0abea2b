"""States whose sites are all fixed: one number, in the shape of a state of no sites."""

import numpy as np
import pytest

import quimb_deepnets as qdn

from .reference import conv_vector, rac_vector

CONV = qdn.ConvAC.rand(3, 2, 2, 2, seed=0)
RAC = qdn.RAC.rand(3, 2, 2, seed=0)
FORMS = {
    "tree": (CONV.to_tensor_network, conv_vector(CONV)),
    "dense nodes": (lambda: CONV.to_tensor_network(nodes="dense"), conv_vector(CONV)),
    "collapsed": (CONV.collapse, conv_vector(CONV)),
    "recursive MPS": (RAC.to_tensor_network, rac_vector(RAC)),
    "one site": (
        lambda: qdn.ConvAC(1, [np.array([[[2.0, 3.0]]])], np.ones(1)).to_tensor_network(),
        np.array([2.0, 3.0]),
    ),
}


@pytest.mark.parametrize("like", ["numpy", "torch"])
@pytest.mark.parametrize("form", FORMS)
def test_to_dense_when_every_site_is_fixed(form, like):
    make, vector = FORMS[form]
    psi, n = make(), len(vector).bit_length() - 1
    psi = psi if like == "numpy" else psi.to("torch")
    for code, amplitude in enumerate(vector):
        fixed = psi.isel({f"k{i}": code >> (n - 1 - i) & 1 for i in range(n)})
        column, flat = fixed.to_dense(), fixed.to_dense(to_ket=False, optimize="greedy")
        assert column.shape == (1, 1) and flat.shape == (1,)
        assert abs(column[0, 0] - amplitude) < 1e-13 and abs(flat[0] - amplitude) < 1e-13
