"""Which object has a name that another one lacks: advice for the errors.

::

    net.norm         ->  net.collapse().norm        networks evaluate, states are measured
    phi.amplitude    ->  net.amplitude              psi.network.amplitude, where psi is expanded
    psi.canonize     ->  psi.to_mps().canonize      one tensor per site is an MPS
"""

from quimb.tensor import MatrixProductState

from ..hyper.network import HyperTensorNetwork
from ..hyper.vector import HyperVector
from ..networks import RAC, RBM, ConvAC, DeepNetwork
from .collapsed import CollapsedVector
from .expanded import RecursiveNetwork


def _has(cls, name):
    """Whether a class has an attribute of this name that is not refused there."""
    return hasattr(cls, name) and not hasattr(getattr(cls, name), "refused")


def _state_of_network(net, name):
    if name == "draw":
        return "but its tensor network can be drawn: net.to_tensor_network().draw()"
    if _has(CollapsedVector, name):
        return f"but its state as a quimb vector does: net.collapse().{name}"
    if _has(RecursiveNetwork, name):
        return f"but its expanded tensor network does: net.to_tensor_network().{name}"
    return None


def _network_of_state(psi, name):
    if not isinstance(psi, HyperVector) or not any(_has(cls, name) for cls in (ConvAC, RAC, RBM)):
        return None
    if isinstance(psi, RecursiveNetwork):
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
    word = "psi" if isinstance(state, RecursiveNetwork) else "net"
    return f"but a quimb MatrixProductState does: {word}.to_mps(normalize=True).{name}, for chains"


def _vector(tn, name):
    if not isinstance(tn, HyperVector) and _has(HyperVector, name):
        return "but states on sites (HyperVector) do, and this network has no sites"
    return None


DeepNetwork._guides = (_state_of_network, _mps)
HyperTensorNetwork._guides = (_network_of_state, _other_form, _vector, _mps)
