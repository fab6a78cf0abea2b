"""Ground states: operators, energies, and the steps that lower them.

::

    steps        stochastic reconfiguration: a batch of derivatives to a change of parameters
    lbfgs        quasi-Newton steps, for energies without noise
    optimizers   from parameters and a batch to new parameters, by one of these
    batches      all configurations, or draws of chains: what a step is made from
    preparation  the size of H's terms, the basis, and whether the start is wise
    history      one record for each step, and the lines that a reader sees
    checkpoint   a run in a file
    measure      fresh samples of the state that was reached
    picture      energies and variances of a run, drawn
    driver       GroundState: all of these, again and again
"""
