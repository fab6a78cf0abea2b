"""Ground states: operators, energies, and the steps that lower them.

::

    steps        stochastic reconfiguration: a batch of derivatives to a change of parameters
"""
