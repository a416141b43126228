"""What numba compiles: the passes over the scores, the sort of an order, and what a search does for each label.

A compiled function bears the name of what it compiles, which its docstring names, and answers the same bit for bit, so
that a seed means one selection with and without numba. Only keys differ: an order is put right by what they cannot
tell apart (``core.order``), and is the same. Functions are compiled when they are first called, and kept on disk, where
they are known by the date of their file: so no file here uses what another one compiles or defines.
"""
