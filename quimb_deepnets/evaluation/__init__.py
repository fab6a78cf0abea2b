"""From configurations to amplitudes, ratios and derivatives: planned in integers, then done.

::

    plan                integers: what is looked up, what is computed, in which chunks
    machine             what things cost on a device: the numbers that plans compare
    windows             which sites the windows of a level hold, and the rows they select
    window_tables       each equal branch once, over all codes of its window
    table_steps         how these tables follow from each other, in integers
    quick_tables        the same tables in compiled loops, and their gradients for torch
    row_tables          tables of all kinds in one array, centred, as compiled loops read them
    lookup              codes of windows select rows, rows are multiplied
    lookup_gradient     the same, followed by autograd of torch
    layerwise           layers above the tables, one matrix product per tap
    tap_index           what each tap reads
    blockwise           the layers in compiled loops, block by block
    block_steps         the steps of a recurrent network, the same way
    block_derivatives   derivatives through tables, the same way
    row_derivatives     derivatives of all rows of small tables, added up
    two_layers          derivatives through two layers, where tables are too large
    recurrence          a recurrent network, step by step
    whole_state         all amplitudes at once
    backprop            residuals of a pass, and the pass back
    log_derivatives     d log psi / d theta of every configuration
    factored_rows       the same as outer products, where they are, without the rows
    scaled_derivatives  the same in scaled numbers, where floats cannot compare the channels
    careful_gradients   the same as gradients of torch
    masks               sets of changes of a few sites, and which windows and nodes they touch
    ratios              psi(s + mask) / psi(s) for any set of masks, the cheapest way
    ratio_costs         what these ways cost
    table_ratios        from touched windows of tables
    flip_tables         of single changes, from quotients of runs of windows
    layer_ratios        from touched nodes, layer by layer
    recurrent_ratios    of a recurrent network, from the first changed site on
    hidden_ratios       of a Boltzmann machine, from its hidden units
    chains              compiled Markov chains, where all windows are tabulated
    hidden_chains       those of Boltzmann machines
    general             ratios and derivatives of any network, from its amplitudes
    evaluator           all of these, prepared once
    chunks              a batch, some configurations at a time
"""
