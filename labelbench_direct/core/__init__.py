"""DIRECT in pure numpy: Eq. 1 in ``one_vs_rest``, Eq. 2 in ``order``, Algorithm 1 in ``vreduce``, 2 in ``direct``."""
