"""A checkpoint: index and data together."""

import numpy as np
import pytest
from dc_tts_files import attempt, entry, field, header, table, varint, write_bundle
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.tf_import.bundle import Bundle

RNG = np.random.default_rng(3)
VARIABLES = {
    "gs/global_step": np.int32(1_450_000),
    "net/a": RNG.standard_normal((3, 4, 5), np.float32),
    "net/b": RNG.standard_normal(7, np.float32),
    "net/c": np.arange(4, dtype=np.int64),
    "net/d": RNG.standard_normal((2, 2)),
    "net/empty": np.zeros((0, 3), np.float32),
}


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    return tmp_path_factory.mktemp("bundle") / "model_gs_001k"


def values(prefix):
    bundle = Bundle(prefix)
    return {name: bundle.read(name) for name in bundle.entries}


def index_of(prefix):
    return prefix.with_name(prefix.name + ".index")


def data_of(prefix):
    return prefix.with_name(prefix.name + ".data-00000-of-00001")


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, strict=True)


@pytest.mark.parametrize("shards", [1, 2, 5])
def test_values_from_one_file_or_many(prefix, shards):
    write_bundle(prefix, VARIABLES, shards=shards)
    assert_same(values(prefix), VARIABLES)
    assert Bundle(prefix).size == sum(value.nbytes for value in VARIABLES.values())


@given(st.data())
@settings(max_examples=50)
@pytest.mark.slow
def test_damage_is_detected_or_harmless(prefix, data):
    write_bundle(prefix, VARIABLES)
    path = data.draw(st.sampled_from([index_of(prefix), data_of(prefix)]))
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= data.draw(st.integers(1, 255))
    else:
        del content[place:]
    path.write_bytes(content)
    found, sentence = attempt(values, prefix)
    if not sentence:
        assert_same(found, VARIABLES)
    else:
        assert path.name.partition(".")[0] in sentence


WHOLE = np.arange(6, dtype=np.float32)
ENTRY = entry(WHOLE, 0, WHOLE.tobytes())


def promising(size, shape):
    dimensions = b"".join(field(2, field(1, n)) for n in shape)
    return field(1, 1) + field(2, dimensions) + field(5, size)


@pytest.mark.parametrize(
    ("entries", "what"),
    [
        ({}, "no header"),
        ({b"": header(0)}, "names 0 data files"),
        ({b"": header(10**9)}, "names 1000000000 data files"),
        ({b"": header(endianness=1)}, "big-endian"),
        ({b"": header(oldest_reader=2)}, "a later format"),
        ({b"": header(), b"a": promising(2**50, (2**24, 2**24))}, "larger than any file"),
        ({b"": header(), b"a": promising(2**38, (2**18, 2**18))}, "cut short"),
        ({b"": header(), b"a": promising(8, (3,))}, "has 8 bytes"),
        ({b"": header(), b"a": promising(0, (0, 2**63, 2**63))}, "larger than any file"),
        ({b"": header(), b"a": promising(4, (1,) * 17)}, "17 dimensions"),
        ({b"": header(), b"a": field(1, 1) + field(2, field(3, 1))}, "unknown"),
        ({b"": header(), b"a": entry(WHOLE, 0, WHOLE.tobytes(), 3)}, "data file 3 of 1"),
        ({b"": header(), b"a": ENTRY, b"b": entry(WHOLE, 4, WHOLE.tobytes())}, "overlap"),
        ({b"": header(), b"a": varint(1 << 3 | 3)}, "unknown kind 3"),
        ({b"": header(), b"a": field(1, b"x")}, "bytes where TensorFlow writes a number"),
    ],
)
def test_impossible_index_is_refused(prefix, entries, what):
    index_of(prefix).write_bytes(table(entries))
    data_of(prefix).write_bytes(WHOLE.tobytes())
    with pytest.raises(InputError, match=what):
        values(prefix)


def test_missing_data_file_is_named(prefix):
    write_bundle(prefix, VARIABLES)
    data_of(prefix).unlink()
    with pytest.raises(InputError, match=r"no file model_gs_001k\.data-00000-of-00001 beside it"):
        Bundle(prefix)


def test_unsupported_types_and_slices_are_skipped(prefix):
    data = b"\5hello"
    odd = field(1, 7) + field(5, len(data)) + varint(6 << 3 | 5) + bytes(4)
    sliced = field(1, 1) + field(2, field(2, field(1, 4))) + field(7, b"")
    entries = {b"": header(), b"graph": odd, b"wide": sliced, b"\0wide": sliced}
    index_of(prefix).write_bytes(table(entries))
    data_of(prefix).write_bytes(data)
    assert set(values(prefix).values()) == {None}
