"""Training from scratch, every round: ``passive`` on the labeled examples, and semi-supervised in ``flexmatch``."""
