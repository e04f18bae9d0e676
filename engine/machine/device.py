"""Where the steps are made: choosing the device and its arithmetic."""

import contextlib
import gc
import os
import platform
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import torch

from engine import FEW_CORES
from engine.choices import Precision
from engine.errors import EngineError, InputError

# What NVIDIA's driver has where it serves a GPU to this process, and where its version is.
_CONTROL = Path("/dev/nvidiactl")
_DRIVER = Path("/proc/driver/nvidia/version")
_PROCESSORS = Path("/proc/cpuinfo")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")

DEFAULT_THREADS = torch.get_num_threads()
"""One for each core, or as few as `OMP_NUM_THREADS` demands."""
_OTHER_BUILDS = "https://pytorch.org/get-started/locally/ has other builds"

# What torch says where a driver serves this process no GPU, and what is then to be done.
_NO_GPU = (
    ("Error 802", "NVIDIA's fabric manager is not running: start nvidia-fabricmanager"),
    ("Error 803", "NVIDIA's driver and its libraries differ in version: reboot the machine"),
    ("Error 804", "NVIDIA's driver and its libraries differ in version: reboot the machine"),
    ("No CUDA GPUs", "this process is given no GPU: a container wants `--gpus all`"),
    ("CUDA unknown error", "NVIDIA's driver is in disorder: reboot the machine"),
)


def choose_device(asked: str) -> torch.device:
    """Return the device for `auto`, `cpu` or `cuda:N`.

    Raises:
        InputError: there is no such device on this machine, or torch cannot compute on it.
    """
    if asked == "auto":
        usable = torch.cuda.is_available() and not _lack_of_code(0)
        return torch.device("cuda:0" if usable else "cpu")
    device: torch.device | None
    try:
        device = torch.device(asked)
    except RuntimeError:
        device = None
    if device == torch.device("cpu"):
        return device
    if device is None or device.type != "cuda":
        raise InputError(f"--device is {asked!r}; write auto, cpu or cuda:0.")
    index = device.index or 0
    if not torch.cuda.is_available():
        why = _why_no_gpu() if _CONTROL.exists() else "this machine has no NVIDIA GPU"
        why = f"{why}; write cpu, or see whether `nvidia-smi` answers"
    elif index >= torch.cuda.device_count():
        why = f"this machine has GPUs 0 to {torch.cuda.device_count() - 1}"
    elif why := _lack_of_code(index):
        why = f"{why}; {_OTHER_BUILDS}"
    if why:
        raise InputError(f"--device is {asked}, but {why}.")
    return torch.device("cuda", index)


def unused_gpu(asked: str, device: torch.device) -> str:
    """Say that `auto` has chosen the CPU though there is an NVIDIA GPU, and why; or nothing.

    Such a machine is paid for its GPU: whoever rents it must not find out by the speed.
    """
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    if asked != "auto" or device.type != "cpu" or hidden:
        return ""
    if torch.cuda.is_available():
        why = f"{_lack_of_code(0)}; {_OTHER_BUILDS}"
    elif not _CONTROL.exists():
        return ""
    else:
        why = _why_no_gpu()
    return f"the GPU is not used, and training on the CPU is many times slower: {why}"


def _why_no_gpu() -> str:
    """Why torch can use none of the GPUs that there are, and what to do."""
    if torch.version.cuda is None:
        return f"torch {torch.__version__} is a CPU-only build; {_OTHER_BUILDS}"
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
        said = "no reason given"
    except (RuntimeError, AssertionError) as error:
        said = str(error).splitlines()[0]
    if "too old" in said:
        return (
            f"torch {torch.__version__} requires a driver for CUDA {torch.version.cuda}, and this "
            f"machine has {_driver()}; {_OTHER_BUILDS}"
        )
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if "No CUDA GPUs" in said and chosen is not None:
        return f"CUDA_VISIBLE_DEVICES is {chosen!r}, which names no GPU of this machine"
    words = next((words for mark, words in _NO_GPU if mark in said), "")
    return f"{words} ({said})" if words else f"CUDA says: {said}"


def _driver() -> str:
    """The driver of this machine's GPUs in words."""
    try:
        found = re.search(r"Kernel Module.*?\s([0-9]+\.[0-9.]+)\s", _DRIVER.read_text())
    except OSError:
        found = None
    return f"driver {found[1]}" if found else "a driver of unknown version"


def _lack_of_code(index: int) -> str:
    """Say why torch has no code for a GPU that it sees; nothing where it has."""
    capability = torch.cuda.get_device_capability(index)
    built_for = torch.cuda.get_arch_list()
    if not built_for or any(_runs_on(code, capability) for code in built_for):
        return ""
    return (
        f"{torch.cuda.get_device_name(index)} has compute capability "
        f"{'.'.join(map(str, capability))}, which torch {torch.__version__} was not built for"
    )


def _runs_on(code: str, capability: tuple[int, int]) -> bool:
    """Whether code for `sm_80` or `compute_90` runs on a GPU ("GPU Compatibility" in NVIDIA's
    CUDA C++ Best Practices Guide); of names that are not NVIDIA's it is taken for granted."""
    match = re.fullmatch(r"(sm|compute)_([0-9]+)([0-9])[af]?", code)
    if match is None:
        return True
    built_for = int(match[2]), int(match[3])
    return built_for <= capability and (match[1] == "compute" or built_for[0] == capability[0])


_DTYPES: dict[Precision, torch.dtype] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


def possible_precisions(
    asked: Precision, device: torch.device, *, exact: bool = False
) -> tuple[torch.dtype, ...]:
    """Return in which precisions a step could be made: the one asked for, or those of `auto`.

    Of several the fastest is to be taken, the first where that is not known. What a device only
    imitates is never among them; where training is to be `exact`, fp32 is the only one.
    """
    if asked != "auto":
        return (_DTYPES[asked],)
    if exact:
        return (torch.float32,)
    # fp16 for the GPUs before bf16: its range wants the loss scaled, and costs some steps.
    short = torch.bfloat16 if has_bf16(device) else torch.float16
    return (torch.float32,) if slow_precision(short, device) else (short, torch.float32)


def precision_name(precision: torch.dtype) -> Precision:
    """Return the name of a precision: `bf16`."""
    return next(name for name, dtype in _DTYPES.items() if dtype == precision)


def has_bf16(device: torch.device) -> bool:
    """Whether a device computes in bf16 itself; others take it as well, but imitate it slowly."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported())


def has_fp16(device: torch.device) -> bool:
    """Whether a device multiplies in fp16 much faster than in fp32: GPUs from the V100 on."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (7, 0)


def slow_precision(precision: torch.dtype, device: torch.device) -> str:
    """Say that a device only imitates this precision; empty where it has it."""
    has = {torch.bfloat16: has_bf16, torch.float16: has_fp16}.get(precision)
    if has is None or has(device):
        return ""
    name, faster = precision_name(precision), "fp16" if has_fp16(device) else "fp32"
    return (
        f"{describe_device(device)} imitates {name}, which is slow; --precision {faster} is faster"
    )


def make_repeatable(device: torch.device) -> None:
    """Have the same step give the same bits each time, as far as a device can; before its first.

    A CPU does so in single precision, with the same number of threads (`OMP_NUM_THREADS`) on the
    same kind of processor. On a GPU a resumed run has the same weights, moments, batches, dropout
    and logged sums to the bit; its further steps are as repeatable as CUDA on the same kind of GPU
    with the same driver, torch and `--precision`. For that, cuBLAS gets a workspace for every
    stream ("Results reproducibility" in its documentation), unless the person set another, and
    cuDNN tries out no algorithms. `torch.use_deterministic_algorithms(True)` costs speed: not set.

    Single precision is kept from being TensorFloat-32, with 10 bits of mantissa instead of 23,
    which `TORCH_ALLOW_TF32_CUBLAS_OVERRIDE` in NVIDIA's own images of torch would allow. Products
    in 16 bits add up in fp32 to the end, where cuBLAS might else add parts of them in 16.
    """
    torch.set_float32_matmul_precision("highest")
    if device.type != "cuda":
        return
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


def describe_device(device: torch.device) -> str:
    """Return the device's name as the screen shows it."""
    if device.type == "cpu":
        return "cpu"
    return f"{device} {torch.cuda.get_device_name(device)}"


def model_of(device: torch.device) -> str:
    """Return the model of a GPU or of this machine's processor, as its maker names it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", _PROCESSORS.read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.machine()


def gpu_uuid(device: torch.device) -> str | None:
    """Return the UUID of a GPU in the driver's words, `GPU-…`; None for a CPU."""
    if device.type != "cuda":
        return None
    uuid = str(torch.cuda.get_device_properties(device).uuid)
    return uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"


def use_in_this_thread(device: torch.device) -> None:
    """Make a GPU the one that the calling thread asks, as each thread starts with the first.

    It would else open a context there: half a gigabyte of a GPU that others may have filled.
    """
    if device.index:
        torch.cuda.set_device(device)


def choose_threads() -> None:
    """Choose how many threads share the arithmetic of a step.

    On a machine with few cores all of them: it is the screen that waits for a core, a millisecond
    or two, while a core kept free for it would be a quarter or a half of the speed. Of many cores
    one stays free. What else runs does not count, so that a resumed run takes as many. Fewer
    threads, as `OMP_NUM_THREADS` may demand, stay as few.
    """
    cores = int(usable_cores())
    most = cores if cores <= FEW_CORES else cores - 1
    torch.set_num_threads(max(1, min(torch.get_num_threads(), most)))


def usable_cores() -> float:
    """Return the cores that this process may use at once, as a container may limit them, too."""
    cores = float(len(os.sched_getaffinity(0)))
    with contextlib.suppress(OSError, ValueError):
        quota, period = _QUOTA.read_text().split()
        return min(cores, float(quota) / float(period))  # `max` is no number
    return cores


def compute_on_one_thread() -> None:
    """Have the calling thread share its arithmetic with no other; all others keep their number.

    Speaking frame by frame makes small products, which take several times as long when shared.
    """
    _compute_on(1)


@contextmanager
def computing_on(threads: int) -> Iterator[None]:
    """Have so many threads share the calling thread's arithmetic; all others keep their number."""
    before = torch.get_num_threads()
    if threads != before:
        _compute_on(threads)
    try:
        yield
    finally:
        if threads != before:
            _compute_on(before)


def _compute_on(threads: int) -> None:
    torch.get_num_threads()  # a thread that has not computed yet would else forget it
    # Torch also notes the number for such threads, as a new one would.
    with ThreadPoolExecutor(1) as other:
        default = other.submit(torch.get_num_threads).result()
        torch.set_num_threads(threads)
        other.submit(torch.set_num_threads, default).result()


def threads_worth(work: Callable[[], object], most: int) -> int:
    """Return how many threads, at `most`, to share a piece of work among, by trying it here.

    Twice as many have to save a fifth of the time.
    """
    threads, seconds = 1, 0.0
    while 2 * threads <= most:
        seconds = seconds or _seconds_on(threads, work)
        faster = _seconds_on(2 * threads, work)
        if faster > 0.8 * seconds:
            break
        threads, seconds = 2 * threads, faster
    return threads


def _seconds_on(threads: int, work: Callable[[], object]) -> float:
    """The shorter of two tries, after one in which the threads start."""
    tries = []
    with computing_on(threads):
        for _ in range(3):
            started = time.perf_counter()
            work()
            tries.append(time.perf_counter() - started)
    return min(tries[1:])


# Out of memory, where torch raises no error class of its own for it: the host's, also as oneDNN
# says it; a GPU's as cuBLAS and cuDNN say it, or where another process has filled it.
_OUT_OF_MEMORY = (
    "can't allocate memory",
    "could not create a memory object",
    "could not create a primitive",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that a GPU or the host is out of memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(one in str(error) for one in _OUT_OF_MEMORY)


def out_of_memory_error(device: torch.device, where: str, error: BaseException) -> EngineError:
    """Say that not even the least that a run needs fits, and what to do.

    `where` says when that was, such as `at step 1,000`.
    """
    reason = " ".join(str(error).split()) or type(error).__name__
    return EngineError(
        f"Out of memory on {device} {where} ({reason}); stop other programs that use it, or make a "
        f"voice with --preset small."
    )


def spare_memory(device: torch.device) -> int:
    """Bytes of a GPU that may be kept for speed alone: half of what nobody has taken.

    Zero on a CPU.
    """
    return torch.cuda.mem_get_info(device)[0] // 2 if device.type == "cuda" else 0


@contextmanager
def explains_lack_of_memory(device: torch.device, where: str) -> Iterator[None]:
    """Turn what means that memory is short into an `out_of_memory_error`."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise out_of_memory_error(device, where, error) from error


def free_memory(device: torch.device) -> None:
    """Release the memory that a failed step has left behind."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
