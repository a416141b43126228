"""Where strategies run: the embedded host, on any machine, and LabelBench."""
