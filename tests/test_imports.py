"""What loading the package and the command line may load: an allow-list, checked in a process of its own."""

import json
import subprocess
import sys

import pytest

ALLOWED = {"outthink", "anyio", "msgspec", "exceptiongroup", "sniffio", "idna", "typing_extensions"}
COMMAND_LINE = ALLOWED | {"typer", "click", "shellingham", "colorama"}
HEAVY = {"aiohttp", "xllamacpp", "numpy", "sympy", "math_verify", "rich", "httpx", "pydantic", "starlette", "yarl"}


def loaded(code: str) -> set[str]:
    """The packages outside the standard library that some code loads; those that `site` brings do not count."""
    script = (
        "import sys; before = set(sys.modules)\n"
        f"{code}\n"
        "import json\n"
        "top = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(json.dumps(sorted(top - sys.stdlib_module_names)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    return {name for name in json.loads(done.stderr.splitlines()[-1]) if not name.startswith(("_", "__"))}


def test_importing_the_package_loads_no_more_than_this():
    found = loaded("import outthink")
    assert found <= ALLOWED
    assert not found & HEAVY


def test_help_loads_no_more_than_the_command_line_library():
    code = (
        "import contextlib\n"
        "sys.argv = ['outthink', '--help']\n"
        "from outthink.cli import main\n"
        "with contextlib.suppress(SystemExit): main()"
    )
    found = loaded(code)
    assert found <= COMMAND_LINE | {"rich", "markdown_it", "mdurl", "pygments", "annotated_doc"}
    assert not found & (HEAVY - {"rich"})


@pytest.mark.parametrize("model", ["fake"])
def test_a_run_on_the_fake_loads_no_http_client_and_no_engine(model):
    found = loaded(f"import outthink; outthink.solve_sync('How many are 3 + 4?', model={model!r})")
    assert not found & {"aiohttp", "xllamacpp", "numpy", "rich", "typer"}
