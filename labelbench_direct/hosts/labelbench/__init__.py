"""LabelBench as it is, from an unmodified checkout: ways in, what is registered there, and what today's stack needs."""
