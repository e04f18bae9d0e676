"""Checkpoints as TensorFlow's Saver writes them, of DC-TTS networks of any size.

Written from the formats' documentation, apart from the reader that they test; the names and
shapes are those that the original's code gives its variables.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import google_crc32c
import numpy as np

from engine.errors import InputError
from engine.networks.specs import NetworkSpec
from engine.tf_import.weights import variables_of


def attempt(action, *given):
    """Return what an action returned, or None, and the sentence with which it refused, or ""."""
    try:
        return action(*given), ""
    except InputError as error:
        return None, str(error)


DTYPES = {
    np.dtype("float32"): 1,
    np.dtype("float64"): 2,
    np.dtype("int32"): 3,
    np.dtype("int64"): 9,
    np.dtype("float16"): 19,
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
    return (
        field(1, DTYPES[value.dtype])
        + field(2, shape)
        + field(3, shard)
        + field(4, offset)
        + field(5, len(data))
        + crc
    )


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


# What the original's networks are made of: kind and number of each layer, widths, taps.


def _layers(scope, first, layers):
    shapes = {}
    for number, (kind, inputs, outputs, taps) in enumerate(layers, first):
        name = f"{scope}/{kind}_{number}"
        if kind == "D":
            shapes[f"{name}/conv2d_transpose/kernel"] = (1, taps, outputs, inputs)
            shapes[f"{name}/conv2d_transpose/bias"] = (outputs,)
        else:
            shapes[f"{name}/conv1d/kernel"] = (taps, inputs, outputs)
            shapes[f"{name}/conv1d/bias"] = (outputs,)
        for norm in ("H1", "H2") if kind == "HC" else ("normalize",):
            width = outputs // 2 if kind == "HC" else outputs
            shapes[f"{name}/{norm}/beta"] = shapes[f"{name}/{norm}/gamma"] = (width,)
    return shapes


def _highways(width, taps, count):
    return [("HC", width, 2 * width, taps)] * count


def text2mel_shapes(symbols=34, n_mels=80, e=16, d=24):
    encoder = [("C", e, 2 * d, 1), ("C", 2 * d, 2 * d, 1)]
    encoder += _highways(2 * d, 3, 10) + _highways(2 * d, 1, 2)
    audio = [("C", n_mels, d, 1), ("C", d, d, 1), ("C", d, d, 1), *_highways(d, 3, 10)]
    decoder = [("C", 2 * d, d, 1), *_highways(d, 3, 6)]
    decoder += [("C", d, d, 1)] * 3 + [("C", d, n_mels, 1)]
    return {
        "Text2Mel/TextEnc/embed_1/lookup_table": (symbols, e),
        **_layers("Text2Mel/TextEnc", 2, encoder),
        **_layers("Text2Mel/AudioEnc", 1, audio),
        **_layers("Text2Mel/AudioDec", 1, decoder),
    }


def ssrn_shapes(n_mels=80, n_bins=129, c=32):
    layers = [("C", n_mels, c, 1), *_highways(c, 3, 2)]
    layers += [("D", c, c, 3), *_highways(c, 3, 2)] * 2
    layers += [("C", c, 2 * c, 1), *_highways(2 * c, 3, 2), ("C", 2 * c, n_bins, 1)]
    return _layers("SSRN", 1, layers + [("C", n_bins, n_bins, 1)] * 3)


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
