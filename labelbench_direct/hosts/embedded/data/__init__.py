"""Data sets: by name in ``catalog``, from ``files`` and folders, and how others are made from them."""
