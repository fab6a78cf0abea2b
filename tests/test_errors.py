"""Bad input: a named error, with the value, the law and the remedy in its message."""

import numpy as np
import pytest
import quimb.tensor as qtn
import torch

import quimb_deepnets as qdn

from .inner_names import inner

NET = qdn.ConvAC.rand(4, 2, 3, 2, seed=0)
LATTICE = qdn.ConvAC.rand((2, 3), 1, 2, 2, seed=0)
W = np.ones((2, 3, 2))
R = np.ones(3)


def layer(kernel, stride=1):
    return [qdn.GCLayer(kernel, 2, stride)]


def with_nan():
    weights = [w.copy() for w in NET.weights]
    weights[1][0, 0, 0] = np.nan
    return qdn.ConvAC(4, weights, NET.readout)


def conv(shape, layers=None, **kwargs):
    return qdn.ConvAC.rand(shape, layers=layers or layer(2), **kwargs)


def rac(initial=None, **changes):
    arrays = {"hidden": np.eye(2), "inputs": np.ones((2, 2)), "readout": np.ones(2), **changes}
    return qdn.RAC(3, [arrays["hidden"]], [arrays["inputs"]], initial, arrays["readout"])


def with_parameters():
    net = qdn.RAC.rand(4, 2, 2, seed=0, scale=1e100)
    params = {k: torch.nn.Parameter(torch.tensor(x)) for k, x in net.params.items()}
    return qdn.RAC.from_params(net.geometry, params).to_tensor_network()


TREE = NET.to_tensor_network()


def expanded():
    return TREE.copy()


CASES = {
    # configurations
    "config too short": (lambda: NET.amplitude("010"), qdn.ConfigError, "shape (3,)"),
    "config not digits": (lambda: NET.amplitude("01x0"), qdn.ConfigError, "'01x0'"),
    "config empty": (lambda: NET.amplitude(""), qdn.ConfigError, "digits"),
    "entry too large": (lambda: NET.amplitude([0, 1, 2, 0]), qdn.ConfigError, "the entry 2"),
    "entry negative": (lambda: NET.amplitudes([[0, 1, -1, 0]]), qdn.ConfigError, "entry -1"),
    "entries not integers": (
        lambda: NET.amplitudes(np.ones((2, 4)) * 0.5),
        qdn.ConfigError,
        "must be integers",
    ),
    "ragged configs": (lambda: NET.amplitudes([[0, 1], [0]]), qdn.ConfigError, "ragged"),
    "one config as a batch": (lambda: NET.amplitudes([0, 1, 0, 1]), qdn.ConfigError, "('B', 4)"),
    "lattice config flat batch": (
        lambda: LATTICE.amplitudes(np.zeros((2, 6), int)),
        qdn.ConfigError,
        "('B', 2, 3)",
    ),
    "config of a tensor network": (
        lambda: expanded().amplitude("01"),
        qdn.ConfigError,
        "shape (2,)",
    ),
    # geometry
    "shape zero": (lambda: conv(0), qdn.GeometryError, "shape=0"),
    "shape negative": (lambda: conv((3, -1)), qdn.GeometryError, "shape=-1"),
    "shape 3D": (lambda: conv((2, 2, 2)), qdn.GeometryError, "3 dimensions"),
    "shape empty": (lambda: conv(()), qdn.GeometryError, "empty"),
    "kernel zero": (lambda: qdn.GCLayer(0, 2), qdn.GeometryError, "kernel=0"),
    "bond_dim not whole": (lambda: qdn.GCLayer(2, 2.5), qdn.GeometryError, "bond_dim=2.5"),
    "depth zero": (lambda: qdn.ConvAC.rand(4, 0, 2, 2), qdn.GeometryError, "depth=0"),
    "phys_dim 1": (lambda: conv(4, phys_dim=1), qdn.GeometryError, "phys_dim=1"),
    "no layers": (lambda: qdn.ConvAC.rand(4, layers=[]), qdn.GeometryError, "no layers"),
    "layers twice": (
        lambda: qdn.ConvAC.rand(4, depth=2, layers=layer(2)),
        qdn.GeometryError,
        "depth",
    ),
    "layers missing": (lambda: qdn.ConvAC.rand(4, depth=2), qdn.GeometryError, "kernel, bond_dim"),
    "layers no GCLayer": (
        lambda: qdn.ConvAC.rand(4, layers=[(2, 2)]),
        qdn.GeometryError,
        "GCLayer(kernel",
    ),
    "kernel of 3 numbers": (
        lambda: qdn.ConvAC.rand((4, 4), layers=layer((2, 2, 2))),
        qdn.GeometryError,
        "3 entries",
    ),
    "stride does not divide": (
        lambda: conv(8, layer(3, 3)),
        qdn.GeometryError,
        "stride=3 does not divide length 8 in layer 1; use boundary='valid' or a length in [6, 9]",
    ),
    "stride larger than the chain": (
        lambda: conv(2, layer(3, 3)),
        qdn.GeometryError,
        "or a length in [3].",
    ),
    "stride exceeds kernel": (lambda: layer(2, 3), qdn.GeometryError, "stride=3 exceeds kernel=2"),
    "kernel exceeds valid layer": (
        lambda: conv(4, layer(5), boundary="valid"),
        qdn.GeometryError,
        "kernel=5 of layer 1",
    ),
    "zero padding": (lambda: conv(4, boundary="zeros"), qdn.GeometryError, "vanish identically"),
    "site never read": (
        lambda: conv(6, layer(3, 2), boundary="valid"),
        qdn.GeometryError,
        "no window reads position 5",
    ),
    "RAC without sites": (lambda: qdn.RAC.rand(0, 1, 2), qdn.GeometryError, "L=0"),
    # weights
    "zero initial vector": (lambda: rac([np.zeros(2)]), qdn.WeightError, "H01 is zero"),
    "zero read-out": (lambda: rac(readout=np.zeros(2)), qdn.WeightError, "READOUT is zero"),
    "initial of wrong shape": (lambda: rac([np.ones(3)]), qdn.WeightError, "shape (3,)"),
    "read-out of 2 axes": (lambda: rac(readout=np.ones((2, 2))), qdn.WeightError, "1 axes"),
    "input weights flat": (lambda: rac(inputs=np.ones(2)), qdn.WeightError, "2 axes"),
    "hidden weights empty": (
        lambda: qdn.RAC(3, [], [], None, np.ones(2)),
        qdn.WeightError,
        "hidden_weights is empty",
    ),
    "initial missing": (lambda: rac([]), qdn.WeightError, "initial has 0 arrays"),
    "read-out of wrong shape": (
        lambda: qdn.ConvAC(4, [W], np.ones(2)),
        qdn.WeightError,
        "READOUT has shape (2,)",
    ),
    "layers do not chain": (
        lambda: qdn.ConvAC(4, [W, np.ones((2, 3, 4))], R),
        qdn.WeightError,
        "weights[1] has shape (2, 3, 4), but the geometry asks for (2, 3, 3)",
    ),
    "weights of 2 axes": (lambda: qdn.ConvAC(4, [W[0]], R), qdn.WeightError, "3 axes"),
    "positions do not match": (
        lambda: qdn.ConvAC(4, [np.ones((3, 2, 3, 2))], R),
        qdn.WeightError,
        "(4, 2, 3, 2)",
    ),
    "mixed dtypes": (
        lambda: qdn.ConvAC(4, [W], R.astype(complex)),
        qdn.WeightError,
        "mixed dtypes: float64",
    ),
    "integer weights": (
        lambda: qdn.ConvAC(4, [W.astype(int)], R.astype(int)),
        qdn.WeightError,
        "int",
    ),
    "nan weights": (with_nan, qdn.WeightError, "weights[1] holds nan or inf"),
    "strides too few": (
        lambda: qdn.ConvAC(4, NET.weights, NET.readout, strides=[1]),
        qdn.GeometryError,
        "1 entries for 2 layers",
    ),
    "strides zero": (
        lambda: qdn.ConvAC(4, NET.weights, NET.readout, strides=0),
        qdn.GeometryError,
        "stride=0",
    ),
    "strides a float": (
        lambda: qdn.ConvAC(4, NET.weights, NET.readout, strides=1.0),
        qdn.WeightError,
        "strides=1.0 is not a sequence",
    ),
    "ragged weights": (lambda: qdn.ConvAC(4, [[[1, 2], [3]]], R), qdn.WeightError, "ragged"),
    "weights None": (lambda: qdn.ConvAC(4, None, R), qdn.WeightError, "weights=None"),
    "hidden weights None": (
        lambda: qdn.RAC(3, None, [R], None, R),
        qdn.WeightError,
        "hidden_weights=None",
    ),
    "one layer bare": (
        lambda: qdn.ConvAC.rand(4, layers=qdn.GCLayer(2, 2)),
        qdn.WeightError,
        "not a sequence",
    ),
    "parameters missing": (
        lambda: qdn.ConvAC.from_params(NET.geometry, {"READOUT": NET.readout}),
        qdn.WeightError,
        "['W1,0', 'W1,1', 'W1,2', 'W2,0'] are missing or unknown",
    ),
    "parameters unknown": (
        lambda: qdn.ConvAC.from_params(NET.geometry, {**NET.params, "W9": R}),
        qdn.WeightError,
        "['W9']",
    ),
    "parameters of wrong shape": (
        lambda: qdn.ConvAC.from_params(
            NET.geometry, {**NET.params, "W1,0": NET.params["W1,0"].reshape(-1)}
        ),
        qdn.WeightError,
        "W1,0 has shape (4,)",
    ),
    # options
    "complex loc of real weights": (lambda: conv(4, loc=1j), qdn.OptionError, "loc=1j"),
    "loc a string": (lambda: conv(4, loc="a"), qdn.OptionError, "loc='a'"),
    "dtype an object": (lambda: conv(4, dtype=object()), qdn.OptionError, "dtype="),
    "convert to integers": (lambda: NET.to("torch-int64"), qdn.OptionError, "int64"),
    "convert to nothing known": (lambda: NET.to("junk"), qdn.OptionError, "'junk'"),
    "a tree of a RAC": (
        lambda: qdn.RecursiveTree.from_network(qdn.RAC.rand(3, 1, 2)),
        qdn.OptionError,
        "not from a RAC",
    ),
    "fix an unknown index": (lambda: expanded().isel({"zz": 0}), qdn.OptionError, "'zz'"),
    "fix to a list": (lambda: expanded().isel({"k0": [1, 0]}), qdn.OptionError, "[1, 0]"),
    "gate transposed": (
        lambda: expanded().gate(np.eye(2), 1, transposed=True),
        qdn.MethodError,
        "G.T",
    ),
    "fix outside": (
        lambda: expanded().isel({"k0": 7}),
        qdn.OptionError,
        "7 is not one of its values",
    ),
    "group an unknown index": (lambda: expanded().to_dense(["zz"]), qdn.OptionError, "'zz'"),
    "max_tensors None": (
        lambda: NET.to_tensor_network(max_tensors=None),
        qdn.OptionError,
        "max_tensors=None",
    ),
    "rename onto inner indices": (
        lambda: expanded().reindex({inner(TREE, "_x0"): "z0"}).reindex_all("z{}"),
        qdn.OptionError,
        "another index has",
    ),
    "unknown boundary": (lambda: conv(4, boundary="open"), qdn.OptionError, "'omit', 'periodic'"),
    "unknown anchor": (lambda: conv(4, anchor="left"), qdn.OptionError, "anchor='left'"),
    "unknown dist": (lambda: conv(4, dist="cauchy"), qdn.OptionError, "dist='cauchy'"),
    "unknown dtype": (lambda: conv(4, dtype="int8"), qdn.OptionError, "dtype='int8'"),
    "bad seed": (lambda: conv(4, seed=-1), qdn.OptionError, "seed=-1"),
    "unknown nodes": (lambda: NET.to_tensor_network(nodes="big"), qdn.OptionError, "nodes='big'"),
    "site_ind_id without placeholder": (
        lambda: NET.to_tensor_network(site_ind_id="k"),
        qdn.OptionError,
        "site_ind_id='k' gives several sites one name",
    ),
    "site_tag_id of a lattice on a chain": (
        lambda: NET.to_tensor_network(site_tag_id="I{},{}"),
        qdn.OptionError,
        "does not format a site such as 0",
    ),
    "site_tag_id of weights": (
        lambda: NET.to_tensor_network(site_tag_id="LAYER{}"),
        qdn.OptionError,
        "'LAYER1'",
    ),
    "renaming without placeholder": (lambda: expanded().reindex_all("b"), qdn.OptionError, "'b'"),
    "method name taken": (
        lambda: qdn.register_method(qdn.RAC, name="amplitude")(len),
        qdn.OptionError,
        "already has",
    ),
    # budgets
    "too many tensors": (
        lambda: qdn.RecursiveTree.rand(64, 8, 3, 2),
        qdn.BudgetError,
        "the network itself evaluates amplitudes (log_amplitudes)",
    ),
    "own budget": (
        lambda: NET.to_tensor_network(max_tensors=10),
        qdn.BudgetError,
        "max_tensors=10",
    ),
    "dense node too large": (
        lambda: qdn.RecursiveTree.rand(4, 1, 30, 2, nodes="dense"),
        qdn.BudgetError,
        "nodes='hyper'",
    ),
    "all configurations": (
        lambda: qdn.ConvAC.rand(64, 2, 3, 2).to_dense(),
        qdn.BudgetError,
        "2**64",
    ),
    # duplication
    "COPY tensor too large": (
        lambda: qdn.dup(
            qtn.rand_tensor([2] * 20, [f"a{i}" for i in range(20)]),
            {"k": [f"a{i}" for i in range(20)]},
            mode="copy",
            max_copy_size=2**20,
        ),
        qdn.BudgetError,
        "2**21 elements",
    ),
    "dup onto a leg outside": (
        lambda: qdn.dup(qtn.rand_tensor((2, 2), "ab"), {"b": ["a"]}),
        qdn.LegError,
        "'b' has the name of a leg outside the groups",
    ),
    "dup of no leg": (
        lambda: qdn.dup(qtn.rand_tensor((2,), "a"), {"k": ["z"]}),
        qdn.LegError,
        "'z' is not a leg",
    ),
    "dup twice": (
        lambda: qdn.dup(qtn.rand_tensor((2, 2), "ab"), {"k": ["a"], "q": ["a", "b"]}),
        qdn.LegError,
        "'a' stands in the groups twice",
    ),
    "dup of two sizes": (
        lambda: qdn.dup(qtn.rand_tensor((2, 3), "ab"), {"k": ["a", "b"]}),
        qdn.LegError,
        "sizes {'a': 2, 'b': 3}",
    ),
    "dup of nothing": (
        lambda: qdn.dup(qtn.rand_tensor((2,), "a"), {"k": []}),
        qdn.LegError,
        "empty",
    ),
    "dup mode": (
        lambda: qdn.dup(qtn.rand_tensor((2,), "a"), {"k": ["a"]}, mode="ring"),
        qdn.OptionError,
        "mode='ring'",
    ),
    "dup of an array": (lambda: qdn.dup(np.eye(2), {"k": ["a"]}), qdn.LegError, "ndarray"),
    "dup by a list": (
        lambda: qdn.dup(qtn.rand_tensor((2,), "a"), ["a"]),
        qdn.LegError,
        "list",
    ),
    # states
    "overlap with an array": (lambda: expanded().overlap(R), qdn.SitesError, "ndarray"),
    "overlap on fewer sites": (
        lambda: expanded().overlap(qtn.MPS_rand_state(3, 2)),
        qdn.SitesError,
        "['k3'] only here",
    ),
    "density matrix of no site": (
        lambda: expanded().partial_trace_exact([0, 9]),
        qdn.SitesError,
        "names the site 9",
    ),
    "expectation at a fixed site": (
        lambda: expanded().isel({"k1": 0}).local_expectation_exact(np.eye(2), 1),
        qdn.SitesError,
        "names the site 1",
    ),
    "compressed contraction": (
        lambda: expanded().contract(max_bond=4),
        qdn.MethodError,
        "hyperinds_resolve",
    ),
    "gate by splitting a bond": (
        lambda: expanded().gate(np.eye(4), (0, 1), contract="split"),
        qdn.MethodError,
        "share none",
    ),
    "overlap on other sites": (
        lambda: expanded().overlap(qtn.MPS_rand_state(5, 2)),
        qdn.SitesError,
        "'k4'",
    ),
    "amplitude after isel": (
        lambda: expanded().isel({"k1": 0}).amplitude("0000"),
        qdn.SitesError,
        "'k1'",
    ),
    "weights of dense nodes": (
        lambda: NET.to_tensor_network(nodes="dense").network,
        qdn.StructureError,
        "nodes='hyper'",
    ),
    # range
    "overflow of an amplitude of a tensor network": (
        lambda: qdn.RecursiveTree.rand(20, 3, 3, 8, seed=0, scale=9.0).amplitude([0] * 20),
        qdn.RangeError,
        "use log_amplitudes",
    ),
    "weights that are Parameters": (
        lambda: with_parameters().norm(),
        qdn.RangeError,
        "left the range of its dtype",
    ),
    "overflow": (
        lambda: qdn.ConvAC.rand(64, 4, 3, 32, seed=0, scale=2.0).amplitude([0] * 64),
        qdn.RangeError,
        "use log_amplitudes",
    ),
    "underflow": (
        lambda: qdn.ConvAC.rand(64, 4, 3, 4, seed=0, scale=0.1).amplitude([0] * 64),
        qdn.RangeError,
        "use log_amplitudes",
    ),
    "overflow by contraction": (
        lambda: qdn.RecursiveTree.rand(8, 3, 3, 8, seed=0, scale=90.0).norm(),
        qdn.RangeError,
        "strip_exponent=True",
    ),
    "underflow by contraction": (
        lambda: qdn.RecursiveTree.rand(8, 3, 3, 2, seed=0, scale=0.01).norm(),
        qdn.RangeError,
        "strip_exponent=True",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input(case):
    call, error, fragment = CASES[case]
    with pytest.raises(error) as caught:
        call()
    assert fragment in str(caught.value)
    assert isinstance(caught.value, qdn.DeepNetError)
    kinds = (ValueError, MemoryError, OverflowError, NotImplementedError)
    assert isinstance(caught.value, kinds)


def test_enough_cases():
    assert len(CASES) >= 20
    assert {error for _, error, _ in CASES.values()} >= {
        qdn.ConfigError,
        qdn.GeometryError,
        qdn.WeightError,
        qdn.OptionError,
        qdn.BudgetError,
        qdn.LegError,
        qdn.SitesError,
        qdn.StructureError,
        qdn.RangeError,
    }
