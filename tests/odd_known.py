"""Odd values that fail today, by case; each is a fault, and one that is cured fails too."""

KNOWN = {}
