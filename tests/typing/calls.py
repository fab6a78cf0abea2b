"""Calls of the README, for the static checker; it also runs.

::

    assert_type(net.collapse(), CollapsedVector)        the checker compares, python does nothing
    net.nonsense  # type: ignore[attr-defined]          an ignore that is not needed is an error
"""

from typing import Any, assert_type

import numpy as np
import quimb as qu
import quimb.tensor as qtn

import quimb_deepnets as qdn
from quimb_deepnets.entanglement import EntanglementPlan, RenyiEstimate, SchmidtRank
from quimb_deepnets.evaluation.evaluator import Evaluator
from quimb_deepnets.evaluation.plan import Plan
from quimb_deepnets.geometry import BoltzmannGeometry, ConvGeometry, Geometry, RecurrentGeometry
from quimb_deepnets.networks import DeepNetwork
from quimb_deepnets.networks.params import Params
from quimb_deepnets.tensors import RecursiveNetwork
from quimb_deepnets.tensors.collapsed import CollapsedVector


def networks() -> None:
    """How networks are made, and what they are."""
    net = qdn.ConvAC.rand(10, depth=2, kernel=3, bond_dim=4, seed=1)
    assert_type(net, qdn.ConvAC)
    assert_type(qdn.ConvAC.rand((4, 4), layers=[qdn.GCLayer(2, 3, stride=2)]), qdn.ConvAC)
    assert_type(qdn.ConvAC.graph_state(6, distance=2, kernel=3), qdn.GraphStateConvAC)
    assert_type(qdn.RAC.rand(8, depth=2, bond_dim=3, seed=0), qdn.RAC)
    assert_type(qdn.RBM.rand((4, 4), alpha=2, dtype="complex128", seed=0), qdn.RBM)
    eye = np.eye(2)
    assert_type(qdn.RAC(4, [eye], [eye], None, np.ones(2)), qdn.RAC)
    assert_type(net.with_vector(0.5 * net.vector), qdn.ConvAC)
    assert_type(net.with_params({"READOUT": 2 * net.params["READOUT"]}), qdn.ConvAC)
    assert_type(net.to("torch"), qdn.ConvAC)
    assert_type(net.params, Params)
    assert_type(net.num_params, int)
    assert_type(net.nsites, int)
    assert_type(net.depth, int)
    assert_type(net.phys_dim, int)
    assert_type(net.dtype, str)
    assert_type(net.backend, str)
    assert_type(net.shared, bool)
    assert_type(net.layers, tuple[qdn.GCLayer, ...])
    assert_type(net.geometry, ConvGeometry)
    assert_type(qdn.RAC.rand(4, depth=1, bond_dim=2).geometry, RecurrentGeometry)
    assert_type(qdn.RBM.rand(4).geometry, BoltzmannGeometry)
    geometries: list[Geometry] = [net.geometry, qdn.RBM.rand(4).geometry]
    geometries.append(qdn.RAC.rand(4, depth=1, bond_dim=2).geometry)
    assert_type(geometries[0].param_shapes, dict[str, tuple[int, ...]])


def amplitudes(net: DeepNetwork) -> None:
    """What every network computes."""
    configs = np.zeros((3, net.nsites), int)
    net.amplitude("0" * net.nsites)
    net.amplitudes(configs, chunk=2, progbar=False)
    assert_type(net.log_amplitudes(configs), tuple[Any, Any])
    net.log_derivatives(configs)
    net.flip_ratios(configs, max_bytes=2**20)
    net.to_dense(max_bytes=2**30)
    plan = net.plan(3)
    assert_type(plan, Plan)
    net.amplitudes(configs, plan=plan)
    ev = net.evaluator(batch=3)
    assert_type(ev, Evaluator)
    assert_type(ev.log_amplitudes(configs), tuple[Any, Any])
    ev.ratios(configs, configs)
    net.sample(3, seed=0, method="metropolis", sector=2)
    sampler = qdn.Metropolis(net, chains=3, moves=("exchange",), sector=2, seed=0)
    sampler.sweep(2)
    assert_type(sampler.acceptance, float)
    assert_type(sampler.rhat, float)


def tensor_networks(net: qdn.ConvAC) -> None:
    """The ways down from a network."""
    psi = net.to_tensor_network()
    assert_type(psi, RecursiveNetwork)
    phi = net.collapse(max_bytes=2**30)
    assert_type(phi, CollapsedVector)
    assert_type(psi.collapse(), CollapsedVector)
    assert_type(net.to_mps(max_bond=8, normalize=True), qtn.MatrixProductState)
    assert_type(psi.to_mps(), qtn.MatrixProductState)
    psi.norm(), psi.overlap(phi), psi.draw
    phi.partial_traces_exact([(n, n + 1) for n in range(3)])
    phi.local_expectation_exact(qu.pauli("Z") & qu.pauli("Z"), (0, 3))
    assert_type(qdn.RecursiveTree.rand(6, depth=2, kernel=3, bond_dim=2), qdn.RecursiveTree)
    assert_type(qdn.RecursiveMPS.rand(4, depth=2, bond_dim=3, nodes="dense"), qdn.RecursiveMPS)


def entanglement(net: qdn.ConvAC) -> None:
    """Measures, as functions of any state and as methods of ours."""
    mera = qtn.MERA.rand(16)
    qdn.entropy(mera, [0, 3, 5, 6, 9, 12, 13, 15], method="auto", max_bytes=2**33, progbar=False)
    qdn.entropy(net, [0, 5], method="gram", checkpoint=None, executor=None)
    qdn.schmidt_values(qu.ghz_state(4), 2, dims=[2] * 4)
    net.entropy(2), net.entropies(), net.renyi_entropy(2, alpha=3), net.schmidt_gap([0, 1])
    net.mutinf_subsys(0, [1, 2]), net.logneg_subsys(0, 1), net.partial_trace_exact([0, 1])
    phi = net.collapse()
    phi.entropy(2), phi.schmidt_values(2, max_flops=1e12)
    assert_type(net.schmidt_rank(3, seed=0), SchmidtRank)
    assert_type(qdn.RBM.rand(6, seed=0).renyi2_estimate(3, seed=0), RenyiEstimate)
    assert_type(net.entanglement_plan(3), EntanglementPlan)
    assert_type(qdn.entanglement_plan(net, 3), EntanglementPlan)


def refused(net: qdn.ConvAC) -> None:
    """What the checker must find; not run."""
    net.entropie(2)  # type: ignore[attr-defined]
    net.collapse().entropie(2)  # type: ignore[attr-defined]
    net.to_tensor_network().shared_tag  # type: ignore[attr-defined]
    net.entropy(2, budget=3)  # type: ignore[call-arg]
    qdn.entropy(net, 2, metod="dense")  # type: ignore[call-arg]
    net.collapse(max_bytes="1GB")  # type: ignore[arg-type]
    qdn.ConvAC.rand(4, depht=2)  # type: ignore[call-arg]
    qdn.RAC.rand("4", depth=2, bond_dim=3)  # type: ignore[arg-type]
    qdn.RBM.rand(4).schmidt_rank(2)  # type: ignore[attr-defined]
    net.plan(3).chunks  # type: ignore[attr-defined]
    geometry: Geometry = net  # type: ignore[assignment]
    print(geometry)
