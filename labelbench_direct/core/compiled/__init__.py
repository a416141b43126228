"""What numba compiles: the passes over the scores, and what a search does for each label.

A compiled function bears the name of what it compiles, which its docstring names, and answers the same bit for bit, so
that a seed means one selection with and without numba. Orders are sorted by numpy in both cases: its vectorized sort is
faster than what can be compiled here. Functions are compiled when they are first called, and kept on disk, where they
are known by the date of their file: so no file here uses what another one compiles or defines.
"""
