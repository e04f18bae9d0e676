"""Where the steps are made: choosing the device and its arithmetic."""

import gc
import os
import re
from pathlib import Path

import torch

from engine.choices import Precision
from engine.errors import InputError

# What NVIDIA's driver has where it serves a GPU to this process, and where its version is.
_CONTROL = Path("/dev/nvidiactl")
_DRIVER = Path("/proc/driver/nvidia/version")
_OTHER_BUILDS = "https://pytorch.org/get-started/locally/ has other builds"


def choose_device(asked: str) -> torch.device:
    """Return the device for `auto`, `cpu` or `cuda:N`.

    Raises:
        InputError: there is no such device on this machine, or torch cannot compute on it.
    """
    if asked == "auto":
        usable = torch.cuda.is_available() and not _lack_of_code(0)
        return torch.device("cuda:0" if usable else "cpu")
    try:
        device = torch.device(asked)
    except RuntimeError:
        raise InputError(f"--device is {asked!r}; write auto, cpu or cuda:0.") from None
    if device == torch.device("cpu"):
        return device
    if device.type != "cuda":
        raise InputError(f"--device is {asked!r}; write auto, cpu or cuda:0.")
    if not torch.cuda.is_available():
        raise InputError(
            f"--device is {asked}, but this machine has no usable NVIDIA GPU; write cpu, or see "
            f"whether `nvidia-smi` answers."
        )
    if (device.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"--device is {asked}, but this machine has GPUs 0 to {torch.cuda.device_count() - 1}."
        )
    lack = _lack_of_code(device.index or 0)
    if lack:
        raise InputError(f"--device is {asked}, but {lack}; {_OTHER_BUILDS}.")
    return torch.device("cuda", device.index or 0)


def unused_gpu(asked: str, device: torch.device) -> str:
    """Say that `auto` has chosen the CPU though there is an NVIDIA GPU, and why; or nothing.

    Such a machine is paid for its GPU: whoever rents it must not find out by the speed.
    """
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    if asked != "auto" or device.type != "cpu" or hidden:
        return ""
    if torch.cuda.is_available():
        why = _lack_of_code(0)
    elif not _CONTROL.exists():
        return ""
    elif torch.version.cuda is None:
        why = f"torch {torch.__version__} is a CPU-only build"
    else:
        why = (
            f"torch {torch.__version__} requires a driver for CUDA {torch.version.cuda}, and this "
            f"machine has {_driver()}"
        )
    return (
        f"the GPU is not used, and training on the CPU is many times slower: {why}; {_OTHER_BUILDS}"
    )


def _driver() -> str:
    """The driver of this machine's GPUs in words."""
    try:
        found = re.search(r"Kernel Module.*?\s([0-9]+\.[0-9.]+)\s", _DRIVER.read_text())
    except OSError:
        found = None
    return f"the driver {found[1]}" if found else "one that does not say its version"


def _lack_of_code(index: int) -> str:
    """Say why torch has no code for a GPU that it sees; nothing where it has."""
    major, minor = torch.cuda.get_device_capability(index)
    built_for = torch.cuda.get_arch_list()
    if not built_for or any(_runs_on(code, major, minor) for code in built_for):
        return ""
    return (
        f"{torch.cuda.get_device_name(index)} is of compute capability {major}.{minor}, for which "
        f"torch {torch.__version__} has no code"
    )


def _runs_on(code: str, major: int, minor: int) -> bool:
    """Whether code for `sm_80` or `compute_90` runs on a GPU ("GPU Compatibility" in NVIDIA's
    CUDA C++ Best Practices Guide); of names that are not NVIDIA's it is taken for granted."""
    match = re.fullmatch(r"(sm|compute)_([0-9]+)([0-9])[af]?", code)
    if match is None:
        return True
    theirs = int(match[2]), int(match[3])
    if match[1] == "compute":
        return theirs <= (major, minor)
    return theirs[0] == major and theirs[1] <= minor


def choose_precision(asked: Precision, device: torch.device, *, exact: bool = False) -> torch.dtype:
    """Return the arithmetic of a step.

    `auto` takes bf16 where the device computes in it, but never where the step is to be `exact`.
    """
    if asked == "fp32" or (asked == "auto" and exact):
        return torch.float32
    if asked == "bf16":
        return torch.bfloat16
    if device.type == "cuda":
        with torch.cuda.device(device):
            # A GPU older than Ampere takes bf16 as well, but imitates it slowly.
            native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float32
    return torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32


def make_repeatable(device: torch.device) -> None:
    """Have the same step give the same bits each time, as far as a device can; before its first.

    On a CPU it does in single precision, with the same number of threads (`OMP_NUM_THREADS`) on
    the same kind of processor. On a GPU, a run that is taken up again has the same weights,
    moments, batches, dropout and logged sums to the bit; whether the arithmetic of its steps is
    the same bits is for CUDA to say: on the same kind of GPU with the same driver, torch and
    `--precision`. What can be set for it is set here: cuBLAS gets a workspace of its own for every
    stream (`CUBLAS_WORKSPACE_CONFIG=:4096:8`, unless the person set another; "Results
    reproducibility" in NVIDIA's cuBLAS documentation), and cuDNN tries out no algorithms.
    `torch.use_deterministic_algorithms(True)`, which refuses what torch knows to sum in any order,
    costs speed and is not set.

    Single precision is also kept from being TensorFloat-32, ten bits of mantissa instead of 23:
    NVIDIA's own images of torch set `TORCH_ALLOW_TF32_CUBLAS_OVERRIDE`, which lets it be.
    """
    torch.set_float32_matmul_precision("highest")
    if device.type != "cuda":
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


def describe_device(device: torch.device) -> str:
    """Return the device's name as the screen shows it."""
    if device.type == "cpu":
        return "cpu"
    return f"{device} {torch.cuda.get_device_name(device)}"


def gpu_uuid(device: torch.device) -> str | None:
    """Return the UUID of a GPU in the driver's words, `GPU-…`; None for a CPU."""
    if device.type != "cuda":
        return None
    uuid = str(torch.cuda.get_device_properties(device).uuid)
    return uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"


def leave_a_core_for_the_screen() -> None:
    """Keep the engine's arithmetic off one of the cores that this process may use.

    Fewer threads, as `OMP_NUM_THREADS` may demand, stay as few.
    """
    cores = len(os.sched_getaffinity(0))
    torch.set_num_threads(max(1, min(torch.get_num_threads(), cores - 1)))


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


def free_memory(device: torch.device) -> None:
    """Release the memory that a failed step has left behind."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
