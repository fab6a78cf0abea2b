"""Entanglement of any state, any subset of its sites, in quimb's words."""
