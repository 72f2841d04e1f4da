"""Many problems: answering a file of rows, and recording pools of samples. Prints nothing."""
