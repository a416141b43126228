"""The commands, each in a file of its own, and what several of them need (``running``)."""
