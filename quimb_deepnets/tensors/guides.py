"""Advice for errors about a missing attribute: which object has it.

::

    net.gate         ->  net.collapse().gate        networks evaluate, states are acted on
    net.set_params   ->  net.with_params({...})     a network is a value
    phi.flip_ratios  ->  psi.network.flip_ratios    what evaluates is the network
    psi.canonize     ->  psi.to_mps().canonize      one tensor per site is an MPS
"""

from quimb.tensor import MatrixProductState

from ..hyper.vector import HyperVector
from ..networks import RAC, RBM, ConvAC
from .amplitudes import StateAmplitudes
from .collapsed import CollapsedVector, window_tensors
from .expanded import RecursiveNetwork


def _has(cls, name):
    """Whether a class has an attribute of this name that is not refused there."""
    return hasattr(cls, name) and not hasattr(getattr(cls, name), "refused")


# names of tensor networks and of torch that change something in place
VALUES = {
    **dict.fromkeys(
        "set_params unpack load_state_dict randomize set_weights update".split(),
        "net.with_params({...}) or net.with_vector(x)",
    ),
    **dict.fromkeys(
        "astype cpu cuda numpy float double half type apply_to_arrays detach".split(),
        "net.to(...), as in net.to('torch-float32-cpu')",
    ),
    "normalize": "net.collapse().normalize(), a state of norm 1",
    "multiply": "x * net.collapse(), a state",
    **dict.fromkeys(
        "get_params parameters state_dict named_parameters pack".split(),
        "net.params, net.params.leaves (the arrays that torch trains) or net.vector to read it",
    ),
    "requires_grad_": "requires_grad_() of the arrays of net.params.leaves, once it is of torch",
}
# the same, where a read-out carries the scale
READOUTS = {"normalize": "net.readout / net.norm()", "multiply": "x * net.readout"}


def _value(net, name):
    plain = name.removesuffix("_") if name != "requires_grad_" else name
    if (how := VALUES.get(plain)) is None:
        return None
    if plain in READOUTS and hasattr(net, "readout"):
        how = f"net.with_params({{'READOUT': {READOUTS[plain]}}}), or {how}"
    return f"because a network is a value, which nothing changes in place: use {how}"


def _collapses(net):
    """Whether its class has a collapsed form."""
    return window_tensors.dispatch(type(net)) is not window_tensors.dispatch(object)


def _state_of_network(net, name):
    if _has(CollapsedVector, name) and _collapses(net):
        return f"but its state as a quimb vector does: net.collapse().{name}"
    if _has(RecursiveNetwork, name) and _collapses(net):
        return f"but its expanded tensor network does: net.to_tensor_network().{name}"
    return None


def _network_of_state(psi, name):
    if not isinstance(psi, HyperVector) or not any(_has(cls, name) for cls in (ConvAC, RAC, RBM)):
        return None
    if isinstance(psi, StateAmplitudes):
        return f"but its network does: psi.network.{name}"
    return f"but the ConvAC, RAC or RBM that it was made from does: net.{name}"


def _other_form(psi, name):
    if (
        isinstance(psi, HyperVector)
        and not isinstance(psi, RecursiveNetwork)
        and _has(RecursiveNetwork, name)
    ):
        return f"but an expanded network does: net.to_tensor_network().{name}"
    if isinstance(psi, HyperVector) and _has(CollapsedVector, name):
        return f"but a collapsed state does: net.collapse().{name}"
    return None


def _mps(state, name):
    if not _has(MatrixProductState, name):
        return None
    if isinstance(next(iter(getattr(state, "sites", ())), 0), tuple):
        return "which is for chains, and this is on a lattice; use collapse()"
    word = "psi" if isinstance(state, StateAmplitudes) else "net"
    return f"but a quimb MatrixProductState does: {word}.to_mps(normalize=True).{name}"


def _vector(tn, name):
    if not isinstance(tn, HyperVector) and _has(HyperVector, name):
        return "but states on sites (HyperVector) do, and this network has no sites"
    return None


def advice_on_network(net, name):
    """Which other object has what a network lacks, or None."""
    return _value(net, name) or _state_of_network(net, name) or _mps(net, name)


def advice_on_state(tn, name):
    """The same for a network of tensors."""
    return (
        _network_of_state(tn, name) or _other_form(tn, name) or _vector(tn, name) or _mps(tn, name)
    )
