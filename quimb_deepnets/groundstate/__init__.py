"""Ground states: operators, energies of networks by three ways that agree, and what lowers them.

::

    mpo_products matrix product operators as sums of products
    reading      operators of quimb as terms on the places of a network
    pieces       terms collected into tables
    signs        the signs of another basis
    operators    flip masks: moves and their coefficients
    sectors      configurations with a number of ones
    local        local energies
    full         sums over all configurations
    shards       samples in shards of chains, on any executor
    sampled      energies of samples, and the error that chains show
    products     products of terms, and terms as products
    chain        matrix product states and operators
    recipes      contractions that are alike, with what they have in common done once
    orders       in which order tensors are multiplied
    translations windows and terms that are moved onto each other
    windows      contractions of collapsed networks
    targets      any state, as tensors and as amplitudes
    overlaps     with such a state, by contraction
    energies     the three ways, and which one
    points       energies and gradients without noise, from all configurations
    window_energy  the same by contraction
    exact_energy   by contraction, or by transfer matrices of long rings
    centred      derivatives less their mean, as rows or in factors
    steps        stochastic reconfiguration: a batch of derivatives to a change of parameters
    lbfgs        quasi-Newton steps, for energies without noise
    optimizers   from parameters and a batch to new parameters, by one of these
    batches      all configurations, or draws of chains: what a step is made from
    preparation  the size of H's terms, the basis, and whether the start is wise
    history      one record for each step, and the lines that a reader sees
    checkpoint   a run in a file
    measure      fresh samples of the state that was reached
    picture      energies and variances of a run, drawn
    trajectory   from one state of a run to the next
    driver       GroundState: all of these, again and again
    models       models of the textbooks, for the command line
    sampled_fit  fidelities and their gradients from samples
    fitting      the network that is closest to a state
"""

from .driver import GroundState
from .energies import Energy, energy
from .fitting import Fit, fit

__all__ = ["Energy", "Fit", "GroundState", "energy", "fit"]
