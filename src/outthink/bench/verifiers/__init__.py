"""Fitting verifiers on recorded samples, and measuring what they are worth.

Needs numpy, scipy and scikit-learn (extras ``bench`` and ``train``), so it is imported only by the commands that fit
and measure. Folds, draws and intervals go by question: samples of one question are never on both sides.
"""
