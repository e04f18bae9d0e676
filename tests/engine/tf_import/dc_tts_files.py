"""Checkpoints as TensorFlow's Saver writes them, of DC-TTS networks of any size.

Written from the formats' documentation, apart from the reader that they test.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import google_crc32c
import numpy as np

from engine.errors import InputError
from engine.networks.specs import NetworkSpec, SSRNSpec, Text2MelSpec
from engine.tf_import.weights import variables_of


def attempt(action, *given):
    """Return what an action returned, or None, and the sentence with which it refused, or ""."""
    try:
        return action(*given), ""
    except InputError as error:
        return None, str(error)


DTYPES = {
    np.dtype(name): number
    for number, name in {1: "f4", 2: "f8", 3: "i4", 9: "i8", 19: "f2"}.items()
}
MAGIC = bytes.fromhex("57fb808b247547db")
RESTART_EVERY = 16
BLOCK_SIZE = 4096


def varint(number: int) -> bytes:
    data = bytearray()
    while number >= 0x80:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)


def field(number: int, value: int | bytes) -> bytes:
    """A field of a message; numbers that are zero are left out, as protobuf does."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value) if value else b""


def masked(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF


def block(entries: Iterable[tuple[bytes, bytes]], restart_every: int = RESTART_EVERY) -> bytes:
    content, restarts, before = bytearray(), [0], b""
    for count, (key, value) in enumerate(entries):
        shared = 0
        if count and count % restart_every == 0:
            restarts.append(len(content))
        elif count:
            while shared < min(len(key), len(before)) and key[shared] == before[shared]:
                shared += 1
        content += varint(shared) + varint(len(key) - shared) + varint(len(value))
        content += key[shared:] + value
        before = key
    places = b"".join(place.to_bytes(4, "little") for place in (*restarts, len(restarts)))
    return bytes(content) + places


def table(entries: Mapping[bytes, bytes], *, block_size: int = BLOCK_SIZE, kind: int = 0) -> bytes:
    """A LevelDB table; `kind` is what its blocks say of their compression."""
    data, index, some = bytearray(), [], []

    def put(content: bytes) -> bytes:
        handle = varint(len(data)) + varint(len(content))
        stored = content + bytes([kind])
        data.extend(stored + masked(stored).to_bytes(4, "little"))
        return handle

    for key in sorted(entries):
        some.append((key, entries[key]))
        if sum(len(k) + len(v) for k, v in some) >= block_size:
            index.append((some[-1][0], put(block(some))))
            some = []
    if some:
        index.append((some[-1][0], put(block(some))))
    handles = put(block([])) + put(block(index, 1))
    return bytes(data) + handles.ljust(40, b"\0") + MAGIC


def header(shards: int = 1, *, endianness: int = 0, oldest_reader: int = 0) -> bytes:
    version = field(1, 1) + field(2, oldest_reader)
    return field(1, shards) + field(2, endianness) + field(3, version)


def entry(value: np.ndarray, offset: int, data: bytes, shard: int = 0) -> bytes:
    shape = b"".join(field(2, field(1, size)) for size in value.shape)
    crc = varint(6 << 3 | 5) + masked(data).to_bytes(4, "little")
    fields = (DTYPES[value.dtype], shape, shard, offset, len(data))
    return b"".join(field(number, one) for number, one in enumerate(fields, 1)) + crc


def write_bundle(
    prefix: Path, variables: Mapping[str, np.ndarray], *, shards: int = 1, **of_header: int
) -> Path:
    """Write `prefix`'s index and data files; return the prefix."""
    prefix.parent.mkdir(parents=True, exist_ok=True)
    contents = [bytearray() for _ in range(shards)]
    entries = {b"": header(shards, **of_header)}
    for place, name in enumerate(sorted(variables)):
        shard, value = place % shards, np.asarray(variables[name])
        data = value.tobytes()
        entries[name.encode()] = entry(value, len(contents[shard]), data, shard)
        contents[shard] += data
    prefix.with_name(prefix.name + ".index").write_bytes(table(entries))
    for shard, content in enumerate(contents):
        name = f"{prefix.name}.data-{shard:05d}-of-{shards:05d}"
        prefix.with_name(name).write_bytes(content)
    return prefix


def text2mel_shapes(symbols=34, n_mels=80, e=16, d=24):
    """Shapes of a Text2Mel's variables by the original's names, which real files verify."""
    spec = Text2MelSpec(symbols, n_mels, embedding=e, hidden=d, epsilon=1e-12, mask_text=False)
    return {name: variable.shape for name, variable in variables_of(spec).items()}


def ssrn_shapes(n_mels=80, n_bins=129, c=32):
    """Shapes of an SSRN's variables by the original's names."""
    spec = SSRNSpec(n_mels, n_bins, hidden=c, epsilon=1e-12)
    return {name: variable.shape for name, variable in variables_of(spec).items()}


def saved(shapes, *, step=1000, updates=3, seed=0, moments=True):
    """All variables that the Saver writes of a network whose Adam has made some updates."""
    rng = np.random.default_rng(seed)

    def drawn(shape):
        return rng.standard_normal(shape, np.float32) * np.float32(0.1)

    variables = {}
    for name, shape in shapes.items():
        # Gains near 1, as training leaves them.
        variables[name] = drawn(shape) + np.float32(name.endswith("gamma"))
        if moments:
            variables[f"{name}/Adam"] = drawn(shape) * np.float32(1e-3)
            variables[f"{name}/Adam_1"] = np.square(drawn(shape)) * np.float32(1e-4)
    if moments:
        for name, decay in (("beta1_power", 0.9), ("beta2_power", 0.999)):
            factors = np.full(updates + 1, decay, np.float32)
            variables[name] = np.multiply.accumulate(factors)[-1]
    variables["gs/global_step"] = np.int32(step)
    return variables


def write_models(folder: Path, *, seed=0, step=1000, **sizes) -> Path:
    """Both networks as the original lays them out below `folder`; small by default."""
    sizes = {"symbols": 34, "n_mels": 6, "e": 4, "d": 4, "n_bins": 9, "c": 4} | sizes
    own = {name: sizes[name] for name in ("symbols", "n_mels", "e", "d")}
    text2mel = saved(text2mel_shapes(**own), step=step, seed=seed)
    own = {name: sizes[name] for name in ("n_mels", "n_bins", "c")}
    ssrn = saved(ssrn_shapes(**own), step=step + 1, seed=seed + 1)
    write_bundle(folder / "LJ01-1" / f"model_gs_{step // 1000:03d}k", text2mel)
    write_bundle(folder / "LJ01-2" / f"model_gs_{step // 1000:03d}k", ssrn)
    return folder


def as_original(spec: NetworkSpec, parameters: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return arrays by our parameters' names as arrays by the original's names."""
    found, rows = {}, Counter()
    for name, variable in variables_of(spec).items():
        value = parameters[variable.parameter]
        if variable.axes is not None:
            value = value.transpose(np.argsort(variable.axes))
        elif value.shape != variable.shape:  # one row of several
            value = value[rows[variable.parameter]]
            rows[variable.parameter] += 1
        found[name] = value.reshape(variable.shape)
    return found
