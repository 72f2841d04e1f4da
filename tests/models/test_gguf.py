"""Whether a file is a whole model, told from files made by hand."""

import hashlib
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.core.errors import ModelFileError
from outthink.models import gguf
from outthink.models.catalog import ENTRIES
from outthink.models.gguf import check_gguf, gguf_facts


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def pair(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


ARCHITECTURE = pair("general.architecture", 8, text("llama"))
CONTEXT = pair("llama.context_length", 4, struct.pack("<I", 2048))
VOCABULARY = pair("tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, 3) + text("a") + text("bc") + text(""))
SCORES = pair("tokenizer.ggml.scores", 9, struct.pack("<IQ", 6, 3) + struct.pack("<3f", 1, 2, 3))


def model(*pairs: bytes, version: int = 3, elements: int = 64, data: int | None = None) -> bytes:
    """A GGUF file with one F32 tensor of ``elements``, and so many bytes of data (None: as many as it needs)."""
    tensor = text("w") + struct.pack("<IQIQ", 1, elements, 0, 0)
    head = b"GGUF" + struct.pack("<IQQ", version, 1, len(pairs)) + b"".join(pairs) + tensor
    head += b"\0" * (-len(head) % 32)
    return head + b"\1" * (4 * elements if data is None else data)


WHOLE = model(ARCHITECTURE, CONTEXT, VOCABULARY, SCORES)


@pytest.fixture
def write(tmp_path):
    def put(data: bytes, name="m.gguf"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return put


def entry_of(data: bytes):
    digest = hashlib.sha256(data).hexdigest()
    return msgspec.structs.replace(ENTRIES[0], file="m.gguf", bytes=len(data), sha256=digest)


def test_a_whole_file_tells_its_architecture_weights_and_context(write):
    facts = gguf_facts(write(WHOLE))
    assert (facts.architecture, facts.parameters, facts.context, facts.size) == ("llama", 64.0, 2048, len(WHOLE))
    check_gguf(write(WHOLE), None)


def test_a_file_cut_anywhere_is_truncated(write):
    for size in range(4, len(WHOLE), 7):
        with pytest.raises(ModelFileError, match="truncated"):
            check_gguf(write(WHOLE[:size]))


@pytest.mark.parametrize("data", [b"", b"GGU", b"PK\3\4 a zip file", b"<html>404</html>", b"\0" * 99])
def test_what_is_no_gguf_file_is_told_with_the_remedy(write, data):
    with pytest.raises(ModelFileError, match=r"m\.gguf is not a GGUF file; use a model in GGUF format$"):
        check_gguf(write(data))


@pytest.mark.parametrize(
    "data",
    [
        model(version=1),
        model(version=99),
        model(ARCHITECTURE, pair("general.alignment", 4, struct.pack("<I", 0))),
        model(ARCHITECTURE, pair("general.alignment", 8, text("thirty-two"))),
        model(ARCHITECTURE, pair("llama.context_length", 8, text("long"))),
        model(pair("x", 77, b"")),
        model(pair("x", 9, struct.pack("<IQ", 9, 1) * 5000)),  # lists in lists
        model(pair("x", 9, struct.pack("<IQ", 8, 1 << 62))),
        model(text("y") + struct.pack("<IQ", 8, 1 << 62)),
        b"GGUF" + struct.pack("<IQQ", 3, 1 << 62, 0),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 62),
        b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + text("w") + struct.pack("<I", 1 << 30),
    ],
)
def test_a_header_that_makes_no_sense_is_an_error_in_one_line(write, data):
    with pytest.raises(ModelFileError, match=r"^.*m\.gguf.*$"):
        check_gguf(write(data))


@given(st.binary(max_size=200))
def test_no_header_breaks_the_reader(tmp_path_factory, rest):
    path = tmp_path_factory.getbasetemp() / "any.gguf"
    for start in (b"", b"GGUF", b"GGUF" + struct.pack("<IQQ", 3, 1, 1), WHOLE[:60]):
        path.write_bytes(start + rest)
        try:
            gguf_facts(path)
        except ModelFileError as error:
            assert "\n" not in str(error)  # noqa: PT017 - either is right


def test_a_missing_file_a_folder_and_a_name_too_long_are_told(tmp_path):
    for path, told in (
        (tmp_path / "no.gguf", "there is no model file"),
        (tmp_path, "cannot be read"),
        (tmp_path / ("x" * 300 + ".gguf"), "cannot be read"),
        (tmp_path / "a" / "b.gguf", "there is no model file"),
    ):
        with pytest.raises(ModelFileError, match=told):
            check_gguf(path)


def test_a_catalog_file_counts_only_with_its_size_and_digest(write):
    entry = entry_of(WHOLE)
    check_gguf(write(WHOLE), entry)
    with pytest.raises(ModelFileError, match=f"has .* bytes, not the .* run: outthink models pull {entry.name}"):
        check_gguf(write(WHOLE + b"x"), entry)
    with pytest.raises(ModelFileError, match="has the digest"):
        check_gguf(write(WHOLE[:-1] + b"x"), entry)


def test_a_verified_file_is_hashed_once_and_again_when_it_changes(write, monkeypatch):
    hashed = []
    true = gguf.sha256
    monkeypatch.setattr(gguf, "sha256", lambda path: hashed.append(path) or true(path))
    entry, path = entry_of(WHOLE), write(WHOLE)
    check_gguf(path, entry)
    check_gguf(path, entry)
    assert len(hashed) == 1
    path.with_name("m.gguf.verified").write_bytes(b"\xff damaged")
    check_gguf(path, entry)
    assert len(hashed) == 2
    path.write_bytes(WHOLE[:-1] + b"x")
    with pytest.raises(ModelFileError, match="digest"):
        check_gguf(path, entry)
