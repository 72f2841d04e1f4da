"""Techniques, one a file. Each asks only its `Run`; `spec` reads and prints their expressions."""
