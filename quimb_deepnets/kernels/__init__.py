"""Loops that numba compiles: the work of many array calls in one pass, in registers and caches.

Each loop has a file of its own. It is taken by library, device and dtype; the array version in
`evaluation` runs everywhere else, and is what the loop is tested against::

    compiled        how loops are compiled, for which arrays there are any, and threads
    digits          configurations checked, and turned so that sites come first
    words           configurations packed into words, and the codes of windows
    tables          tables of windows, each row a product of rows of smaller tables
    vectors         instructions on vector registers, as the next ones use them
    row_products    products of the rows of one configuration, in registers
    lookup          products of the rows that configurations select
    lookup_gradient what rows get back from these products
    tiles           matrix products of a few rows and columns, in registers
    layers          the layers of a ConvAC
    recurrence      the steps of a RAC
    factors         rows of products, and what each factor is multiplied with
    derivatives     derivatives through tables, from the last layer to the first
    two_layers      derivatives through two layers
    rows            amplitudes that are products of rows: what the next ones share
    row_tiles       products of rows that change, in registers
    ratios          ratios of amplitudes from rows of touched windows
    row_sums        sums over channels of products of rows, in registers
    flips           ratios of single changes from tables of quotients
    layer_ratios    ratios of amplitudes from touched nodes of layers
    hidden_ratios   ratios of amplitudes of Boltzmann machines
    metropolis      Markov chains of amplitudes that are products of rows
    hidden_metropolis  those of Boltzmann machines
    proposals       what the chains propose, and their random numbers

    digits (N, B) --+--> loop, configurations 0..b      one loop, several threads:
                    '--> loop, configurations b..B      they write disjoint parts of one result
"""
