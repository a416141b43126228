"""What LabelBench's loop needs, small: data that a package ships, a noisy pool, a trainer, metrics, the loop."""
