"""What the paper proves and what is known exactly: formulas of integers, no state needed."""
