"""The paper, reproduced: one file for each claim of arXiv:1803.09780, run by ``make paper``."""
