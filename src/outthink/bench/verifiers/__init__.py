"""Fitting verifiers on recorded samples, and measuring what they are worth.

Needs numpy, scipy and scikit-learn (extras ``bench`` and ``train``), so it is imported only by the commands that fit
and measure. Folds, draws and intervals go by question: samples of one question are never on both sides.
"""

from importlib.util import find_spec

from outthink.core.errors import InputError

if find_spec("numpy") is None or find_spec("scipy") is None:
    raise InputError("verifiers are fitted and measured with numpy and scipy; run: pip install 'outthink[train]'")
