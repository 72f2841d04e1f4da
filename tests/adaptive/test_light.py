from __future__ import annotations

import pkgutil
import subprocess
import sys

import outthink.adaptive


def test_what_decides_in_a_run_needs_neither_numpy_nor_scipy() -> None:
    names = [module.name for module in pkgutil.iter_modules(outthink.adaptive.__path__)]
    light = [f"outthink.adaptive.{name}" for name in names if not name.endswith("_fit")]
    assert len(light) > 8
    code = f"import sys, {', '.join(light)}; print(sorted({{'numpy', 'scipy'}} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
