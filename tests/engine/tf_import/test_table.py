"""The index: a LevelDB table."""

import pytest
from dc_tts_files import MAGIC, attempt, block, field, masked, table, varint
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.tf_import.bundle import Message
from engine.tf_import.table import Bytes, FormatError, masked_crc, read_table

KEYS = st.binary(min_size=1, max_size=40)
TABLES = st.dictionaries(KEYS, st.binary(max_size=60), max_size=60)


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    return tmp_path_factory.mktemp("table") / "model.index"


def read(index, data):
    index.write_bytes(data)
    return read_table(index)


def test_checksum_is_the_published_one():
    # RFC 3720, section B.4: 32 bytes of zeros have the CRC-32C 0x8A9136AA.
    crc = 0x8A9136AA
    rotated = (crc >> 15 | crc << 17) & 0xFFFFFFFF
    assert masked_crc(bytes(32)) == (rotated + 0xA282EAD8) & 0xFFFFFFFF


@given(st.integers(0, 2**64 - 1), st.binary(max_size=3))
def test_varint_round_trip(number, rest):
    data = Bytes(varint(number) + rest)
    assert (data.varint(), data.take(len(rest))) == (number, rest)
    assert not data


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 9 + b"\x7f", b"\x80" * 10 + b"\x01"])
def test_endless_or_too_large_number_is_refused(data):
    with pytest.raises(FormatError):
        Bytes(data).varint()


def test_fields_of_a_message():
    message = field(1, 7) + field(2, field(1, 5)) + varint(6 << 3 | 5) + (9).to_bytes(4, "little")
    message += varint(7 << 3 | 1) + (2**40).to_bytes(8, "little")
    read = Message(message)
    assert [read.number(place) for place in (1, 3, 6, 7)] == [7, 0, 9, 2**40]
    assert [one.number(1) for one in read.messages(2)] == [5]


@given(TABLES, st.sampled_from([1, 100, 4096]))
@pytest.mark.slow
def test_table_round_trip(index, entries, block_size):
    assert read(index, table(entries, block_size=block_size)) == entries


ENTRIES = {f"Text2Mel/C_{n}/bias".encode(): bytes(n % 40) for n in range(300)}
WHOLE = table(ENTRIES, block_size=500)


@given(st.binary(max_size=200), st.binary(min_size=40, max_size=40))
def test_any_bytes_are_a_table_or_refused(index, data, handles):
    found, sentence = attempt(read, index, data + handles + MAGIC)
    assert found is not None or len(sentence.splitlines()) == 1


def stored(content, kind=0):
    data = content + bytes([kind])
    return data + masked(data).to_bytes(4, "little")


def assembled(index_entries, *contents):
    """A table of the given blocks, with an index that claims what it likes about them."""
    data = b"".join(map(stored, contents))
    meta = varint(len(data)) + varint(len(block([])))
    data += stored(block([]))
    listing = block(index_entries, 1)
    handles = meta + varint(len(data)) + varint(len(listing))
    return data + stored(listing) + handles.ljust(40, b"\0") + MAGIC


ONE = block([(b"a", b"1"), (b"b", b"2")])
TWO = block([(b"b", b"1"), (b"a", b"2")])
PLACE = varint(0) + varint(len(ONE))
PLACE_OF_TWO = varint(0) + varint(len(TWO))
ENDLESS = varint(0) + varint(2**60) + varint(0) + bytes(4) + (1).to_bytes(4, "little")
LONG = b"k" * 1100


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (table({b"a": b"1"}, kind=1), "is compressed"),
        (assembled([(b"b", PLACE), (b"c", PLACE)], ONE), "overlap"),
        (assembled([(b"b", varint(2**50) + varint(5))], ONE), "beyond its end"),
        (assembled([(b"b", varint(0) + varint(2**60))], ONE), "beyond its end"),
        (assembled([(b"b", varint(0) + varint(len(ENDLESS)))], ENDLESS), "1,024 bytes"),
        (assembled([(b"b", b"\x80")], ONE), "cut short"),
        (table({LONG: b""}), "1,024 bytes"),
        (assembled([(b"b", PLACE_OF_TWO)], TWO), "not in order"),
        (assembled([(b"b", varint(0) + varint(4))], b"\xff" * 4), "list of places"),
    ],
)
def test_impossible_table_is_refused(index, data, what):
    with pytest.raises(InputError, match=what):
        read(index, data)


@pytest.mark.parametrize("content", [b"", b"PK\3\4" + bytes(99), WHOLE[:500], WHOLE[:-1]])
def test_other_files_are_refused(index, content):
    with pytest.raises(InputError, match="is not the index of a TensorFlow checkpoint"):
        read(index, content)


def test_too_large_file_is_not_read(index):
    with index.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(InputError, match="too large for the index"):
        read_table(index)


def test_too_many_entries_are_refused(index, monkeypatch):
    monkeypatch.setattr("engine.tf_import.table._MAX_ENTRIES", 299)
    with pytest.raises(InputError, match="more than 299 entries"):
        read(index, WHOLE)
