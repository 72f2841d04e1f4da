"""Calibration: a policy fitted on recorded pools, and what it comes to on questions that were held out.

Loaded by ``outthink calibrate`` only.
"""

from importlib.util import find_spec

from outthink.core.errors import InputError

if not all(map(find_spec, ("numpy", "scipy", "markupsafe"))):
    raise InputError("policies are fitted with numpy and scipy; run: pip install 'outthink[bench]'")
