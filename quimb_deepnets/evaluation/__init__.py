"""From configurations to amplitudes, ratios and derivatives: planned in integers, then done.

::

    plan                integers: what is looked up, what is computed, in which chunks
    machine             what things cost on a device: the numbers that plans compare
    window_tables       each equal branch once, over all codes of its window
    lookup              codes of windows select rows, rows are multiplied
    layerwise           layers above the tables, one matrix product per tap
    recurrence          a recurrent network, step by step
    whole_state         all amplitudes at once
    backprop            residuals of a pass, and the pass back
    log_derivatives     d log psi / d theta of every configuration
    scaled_derivatives  the same in scaled numbers, where floats cannot compare the channels
    flip_ratios         psi(s') / psi(s) for every flip of one site
    chains              compiled Markov chains, where all windows are tabulated
    general             ratios and derivatives of any network, from its amplitudes
    evaluator           all of these, prepared once
    chunks              a batch, some configurations at a time
"""
