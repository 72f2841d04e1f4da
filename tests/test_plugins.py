"""Names to objects: the built-ins by entry point, wrong names and values told with what exists."""

from importlib.metadata import EntryPoint

import pytest

from outthink import plugins
from outthink.core.errors import BadSpec, InputError, UnknownName
from outthink.strategies.cot import ChainOfThought
from outthink.strategies.self_consistency import SelfConsistency


def test_an_expression_becomes_a_frozen_object():
    assert plugins.strategy("self-consistency(n=16, width=4)") == SelfConsistency(n=16, width=4)
    assert plugins.strategy("self-consistency(16)") == SelfConsistency(n=16)
    assert plugins.strategy("cot(temperature=1)") == ChainOfThought(temperature=1.0)
    assert plugins.strategy("cot(shots=none)") == ChainOfThought()


def test_an_expression_is_printed_in_the_techniques_own_order_with_nothing_added():
    text = plugins.strategy_text
    assert text("self-consistency( width=4,n=16 )") == "self-consistency(n=16, width=4)"
    assert text("self-consistency") == "self-consistency"
    assert text("self-consistency(16)") == "self-consistency(n=16)"


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ("self-consistancy", UnknownName, "did you mean 'self-consistency'"),
        ("magic", UnknownName, "Known: auto, best-of-n, cascade, cot, direct, "),
        ("self-consistency(m=3)", UnknownName, "It takes n=8, temperature=0.7, width=8"),
        ("direct(n=3)", UnknownName, "It takes none"),
        ("self-consistency(n=many)", BadSpec, "n takes int, not many"),
        ("self-consistency(n=2.5)", BadSpec, "n takes int, not 2.5"),
        ("self-consistency(n=true)", BadSpec, "n takes int"),
        ("self-consistency(n=0)", BadSpec, "n takes 1 to 4096"),
        ("self-consistency(temperature=9)", BadSpec, "temperature takes 0 to 2"),
        ("self-consistency(1, 2, 3, 4, 5)", BadSpec, "at most 4 arguments"),
        ("self-consistency(8, n=8)", BadSpec, "n is given twice"),
        ("cot(shots=9)", BadSpec, "shots takes 0 to 4"),
    ],
)
def test_what_is_wrong_is_named_with_what_exists(text, error, told):
    with pytest.raises(error, match=r"^.*$") as caught:
        plugins.strategy(text)
    assert told in str(caught.value)


def test_every_strategy_is_described():
    infos = {info.name: info for info in plugins.describe()}
    assert set(infos) >= {"direct", "cot", "self-consistency"}
    assert all(info.summary for info in infos.values())
    assert {p.name: p.default for p in infos["self-consistency"].parameters} == {
        "n": 8,
        "temperature": 0.7,
        "width": 8,
        "stop_below": None,
    }


@pytest.mark.parametrize(
    ("text", "opener"),
    [
        ("fake", "open_fake"),
        ("fake:accuracy=0.5", "open_fake"),
        ("m@http://localhost:1/v1", "open_http"),
        ("org/m:7b@https://host/v1", "open_http"),
        ("/models/any.gguf", "open_embedded"),
        ("qwen2.5-coder-0.5b", "open_embedded"),
        ("no-such-model", "open_embedded"),
    ],
)
def test_a_model_text_is_opened_by_its_form(text, opener):
    assert plugins.model_opener(text).__name__ == opener


@pytest.fixture
def entries(monkeypatch):
    """Declare other entry points than those installed."""

    def declare(*pairs):
        known = {}
        for name, value in pairs:
            known.setdefault(name, []).append(EntryPoint(name, value, "outthink.strategies"))
        monkeypatch.setattr(plugins, "_entries", lambda group: known)

    return declare


def test_a_broken_plugin_is_an_error_only_when_asked_for(entries):
    entries(("broken", "no_such_module:Thing"), ("direct", "outthink.strategies.direct:Direct"))
    assert plugins.strategy("direct")
    with pytest.raises(InputError, match=r"'broken'.*cannot be loaded.*no_such_module"):
        plugins.strategy("broken")


def test_a_name_that_two_packages_claim_is_refused(entries):
    entries(("twice", "outthink.strategies.direct:Direct"), ("twice", "outthink.strategies.cot:ChainOfThought"))
    with pytest.raises(InputError, match="'twice' is claimed by"):
        plugins.strategy("twice")


REACHING = {"file", "policy", "model", "models", "larger"}


@pytest.mark.parametrize("group", ["outthink.strategies", "outthink.verifiers"])
def test_what_names_files_and_models_is_named_as_gateways_know_it(group):
    """A text parameter of another name would have to be looked at: may a gateway's client set it?"""
    harmless = {"aggregate", "rubric", "form", "tournament", "kind", "name", "endpoint", "split", "effort"}
    for info in plugins.describe(group):
        texts = {one.name for one in info.parameters if "str" in one.type or "Literal" in one.type}
        assert texts <= REACHING | harmless, info.name
