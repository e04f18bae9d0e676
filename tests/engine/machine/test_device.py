"""Choosing where the steps are made, and reading a GPU where there is one."""

import os
import sys
import threading
from types import SimpleNamespace

import pytest
import torch

from engine.errors import InputError
from engine.machine import device as devices
from engine.machine.device import (
    choose_device,
    choose_threads,
    compute_on_one_thread,
    computing_on,
    describe_device,
    gpu_uuid,
    make_repeatable,
    possible_precisions,
    precision_name,
    slow_precision,
    threads_worth,
    unused_gpu,
)
from engine.machine.gpu import GpuMonitor

CPU = torch.device("cpu")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")


def test_a_cpu_is_there_everywhere():
    assert choose_device("cpu") == CPU
    assert describe_device(CPU) == "cpu"
    assert gpu_uuid(CPU) is None
    assert choose_device("auto").type in ("cpu", "cuda")


@pytest.mark.parametrize("asked", ["", "gpu", "cuda:x", "cuda:99", "meta", "mps", "cpu:cuda"])
def test_a_device_that_is_not_there_is_bad_input(asked):
    with pytest.raises(InputError, match="--device"):
        choose_device(asked)


def test_only_what_the_device_computes_in_is_possible(monkeypatch):
    bf16, fp32 = torch.bfloat16, torch.float32
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert possible_precisions("auto", CPU) == (bf16, fp32)
    assert possible_precisions("auto", CPU, exact=True) == (fp32,)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert possible_precisions("auto", CPU) == (fp32,)
    assert possible_precisions("bf16", CPU, exact=True) == (bf16,)
    assert possible_precisions("fp32", CPU) == (fp32,)


@pytest.mark.parametrize(("cores", "quota", "threads"), [
    (2, "max 100000", 2),
    (4, "max 100000", 4),
    (16, "max 100000", 15),
    (16, "250000 100000", 2),
    (16, "50000 100000", 1),
])  # fmt: skip
def test_a_step_takes_all_of_few_cores(monkeypatch, tmp_path, cores, quota, threads):
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(devices, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(cores))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(16)
        choose_threads()
        assert torch.get_num_threads() == threads
        torch.set_num_threads(1)
        choose_threads()
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.fixture
def seen_gpu(monkeypatch):
    """A GPU that torch sees: of which compute capability, and what torch has code for."""

    def see(capability, built_for):
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: capability)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "Tesla V100")
        monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: built_for.split())

    return see


CUDA_13 = "sm_75 sm_80 sm_86 sm_90 sm_100 sm_120 compute_120"


@pytest.mark.parametrize(
    ("capability", "built_for"),
    [((7, 5), CUDA_13), ((8, 9), CUDA_13), ((12, 1), CUDA_13), ((13, 0), CUDA_13), ((9, 0), "")],
)
def test_a_gpu_that_torch_has_code_for_is_chosen(seen_gpu, capability, built_for):
    seen_gpu(capability, built_for)
    assert choose_device("auto") == choose_device("cuda:0") == torch.device("cuda:0")
    assert unused_gpu("auto", choose_device("auto")) == ""


def test_a_gpu_that_torch_has_no_code_for_is_told(seen_gpu):
    seen_gpu((7, 0), CUDA_13)
    with pytest.raises(InputError, match="Tesla V100 has compute capability 7"):
        choose_device("cuda:0")
    assert choose_device("auto") == CPU
    told = unused_gpu("auto", CPU)
    assert told.startswith("the GPU is not used")
    assert "Tesla V100" in told
    assert unused_gpu("cpu", CPU) == ""


TOO_OLD = "The NVIDIA driver on your system is too old (found version 12020)."
ERROR = "Unexpected error from cudaGetDeviceCount(). Error "


@pytest.mark.parametrize(
    ("said", "chosen", "why"),
    [
        (TOO_OLD, None, "requires a driver for CUDA 13.0, and this machine has driver 550.54.15"),
        ("No CUDA GPUs are available", "7", "CUDA_VISIBLE_DEVICES is '7', which names no GPU"),
        ("No CUDA GPUs are available", None, "a container wants `--gpus all`"),
        (f"{ERROR}802: system not yet initialized", None, "start nvidia-fabricmanager"),
        (f"{ERROR}803: system has unsupported display driver", None, "reboot the machine"),
        (f"{ERROR}46: device is busy", "0", "CUDA says: Unexpected error"),
    ],
)
def test_a_gpu_that_torch_cannot_use_is_reported(monkeypatch, tmp_path, said, chosen, why):
    def refuse():
        raise RuntimeError(f"{said}\nmore of it")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", refuse)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(devices, "_CONTROL", tmp_path / "nvidiactl")
    monkeypatch.setattr(devices, "_DRIVER", tmp_path / "version")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if chosen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert unused_gpu("auto", CPU) == ""
    (tmp_path / "nvidiactl").touch()
    module = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue"
    (tmp_path / "version").write_text(f"{module}\nGCC version: 12\n")
    assert why in unused_gpu("auto", CPU)
    with pytest.raises(InputError, match="--device is cuda:0") as refused:
        choose_device("cuda:0")
    assert why in str(refused.value)
    assert "more of it" not in str(refused.value)
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "is a CPU-only build" in unused_gpu("auto", CPU)
    (tmp_path / "version").unlink()
    assert devices._driver() == "a driver of unknown version"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert unused_gpu("auto", CPU) == ""


def test_without_a_gpu_the_monitor_says_why():
    monitor = GpuMonitor(None)
    assert monitor.read() is None
    assert "CPU" in monitor.absent


def test_a_gpu_that_is_not_there_is_told():
    monitor = GpuMonitor("GPU-00000000-0000-0000-0000-000000000000")
    assert monitor.read() is None
    assert monitor.absent.startswith("NVML does not answer")


class OddDriver:
    """An NVML that answers as it is told to, one answer after the other."""

    class NVMLError(Exception):
        pass

    NVML_TEMPERATURE_GPU = 0

    def __init__(self, *answers):
        self.answers = list(answers)

    def nvmlInit(self):  # noqa: N802
        pass

    def nvmlDeviceGetHandleByUUID(self, uuid):  # noqa: N802
        return uuid

    def nvmlDeviceGetMemoryInfo(self, handle):  # noqa: N802
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(used=answer, total=8)

    def nvmlDeviceGetUtilizationRates(self, handle):  # noqa: N802
        return SimpleNamespace(gpu=50)

    def nvmlDeviceGetTemperature(self, handle, kind):  # noqa: N802
        raise self.NVMLError("Not Supported")

    nvmlDeviceGetPowerUsage = nvmlDeviceGetMemoryInfo  # noqa: N815


def test_a_driver_that_fails_for_a_moment_is_read_again(monkeypatch):
    once = [OddDriver.NVMLError("busy"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "odd")]
    driver = OddDriver(*once, 4, OddDriver.NVMLError("no power"), AttributeError("odd"))
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    monitor = GpuMonitor("GPU-1")
    assert (monitor.read(), monitor.read(), monitor.absent) == (None, None, "")
    reading = monitor.read()
    assert (reading.memory_used, reading.temperature, reading.power) == (4, None, None)
    assert (monitor.read(), monitor.absent) == (None, "")


def test_a_driver_that_fails_for_long_is_left_alone(monkeypatch):
    failures = [UnicodeDecodeError("utf-8", b"\xff", 0, 1, "odd")] * 9
    driver = OddDriver(*failures)
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    monitor = GpuMonitor("GPU-1")
    assert [monitor.read() for _ in range(9)] == [None] * 9
    assert monitor.absent.startswith("NVML does not answer")
    assert len(driver.answers) == 4


def test_a_slice_of_a_gpu_has_memory_and_no_use(monkeypatch):
    """MIG: NVML knows it by another word, and some readings are of the whole GPU alone."""
    driver = OddDriver(4, 2)

    def handle(uuid):
        if uuid != "MIG-1":
            raise driver.NVMLError("Not Found")
        return "slice"

    def temperature(gpu, kind):
        return {"whole": 60}[gpu]

    def use(gpu):
        raise driver.NVMLError("Not Supported")

    driver.nvmlDeviceGetHandleByUUID = handle
    driver.nvmlDeviceGetDeviceHandleFromMigDeviceHandle = {"slice": "whole"}.get
    driver.nvmlDeviceGetTemperature, driver.nvmlDeviceGetUtilizationRates = temperature, use
    driver.nvmlDeviceGetPowerUsage = lambda gpu: 90_000
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    reading = GpuMonitor("GPU-1").read()
    assert (reading.utilisation, reading.temperature, reading.power) == (None, 60, 90.0)
    assert reading.memory_used == 4
    assert GpuMonitor("GPU-2").absent == "NVML does not answer: Not Found"


def test_imitated_arithmetic_is_warned_of(seen_gpu, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert "imitates bf16, which is slow; --precision fp32" in slow_precision(torch.bfloat16, CPU)
    assert slow_precision(torch.float32, CPU) == ""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert slow_precision(torch.bfloat16, CPU) == ""


@pytest.mark.parametrize(
    ("capability", "possible", "slow"),
    [
        ((6, 1), ("fp32",), {"bf16": "fp32", "fp16": "fp32"}),
        ((7, 0), ("fp16", "fp32"), {"bf16": "fp16"}),
        ((7, 5), ("fp16", "fp32"), {"bf16": "fp16"}),
        ((8, 0), ("bf16", "fp32"), {}),
    ],
)
def test_a_gpu_is_offered_what_it_computes_in(seen_gpu, monkeypatch, capability, possible, slow):
    seen_gpu(capability, CUDA_13)
    has = capability >= (8, 0)
    monkeypatch.setattr(devices, "has_bf16", lambda device: has)
    gpu = torch.device("cuda:0")
    assert tuple(map(precision_name, possible_precisions("auto", gpu))) == possible
    assert possible_precisions("auto", gpu, exact=True) == (torch.float32,)
    for asked in ("fp32", "bf16", "fp16"):
        [precision] = possible_precisions(asked, gpu)
        warning = slow_precision(precision, gpu)
        assert bool(warning) == (asked in slow)
        assert not warning or f"--precision {slow[asked]} is faster" in warning


@needs_gpu
def test_a_gpu_is_read():
    monitor = GpuMonitor(gpu_uuid(choose_device("cuda:0")))
    reading = monitor.read()
    assert reading is not None, monitor.absent
    assert 0 < reading.memory_used <= reading.memory_total


@pytest.mark.parametrize("theirs", [None, ":16:8"])
def test_a_gpu_is_made_repeatable_unless_the_person_says_other(monkeypatch, theirs):
    name = "CUBLAS_WORKSPACE_CONFIG"
    monkeypatch.setenv(name, theirs or "")
    if theirs is None:
        monkeypatch.delenv(name)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    make_repeatable(CPU)
    assert os.environ.get(name) == theirs
    make_repeatable(torch.device("cuda:0"))
    assert os.environ[name] == (theirs or ":4096:8")
    assert not torch.backends.cudnn.benchmark
    assert torch.backends.cudnn.deterministic
    products = torch.backends.cuda.matmul
    assert not products.allow_bf16_reduced_precision_reduction
    assert not products.allow_fp16_reduced_precision_reduction


def test_tf32_stays_off_in_nvidias_images():
    before = torch.get_float32_matmul_precision()
    try:
        # As `TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1` leaves it when torch is imported.
        torch.set_float32_matmul_precision("high")
        make_repeatable(CPU)
        assert torch.get_float32_matmul_precision() == "highest"
        assert not torch.backends.cuda.matmul.allow_tf32
    finally:
        torch.set_float32_matmul_precision(before)


def test_one_thread_computes_alone_and_all_others_as_before():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    numbers = {}

    def note(name, work=lambda: None):
        def run():
            work()
            torch.ones(2**16).mul_(2)
            numbers[name] = torch.get_num_threads()

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()

    def compute_on_two():
        with computing_on(2):
            assert torch.get_num_threads() == 2

    note("alone", compute_on_one_thread)
    note("two", compute_on_two)
    note("later")
    numbers["this"] = torch.get_num_threads()
    torch.set_num_threads(before)
    assert numbers == {"alone": 1, "two": 3, "later": 3, "this": 3}


@pytest.mark.parametrize(("seconds", "most", "worth"), [
    ({1: 8, 2: 4, 4: 3.5}, 4, 2),
    ({1: 8, 2: 4, 4: 2}, 4, 4),
    ({1: 8, 2: 4}, 3, 2),
    ({1: 8, 2: 30}, 8, 1),
    ({}, 1, 1),
])  # fmt: skip
def test_more_threads_are_taken_only_as_far_as_they_pay(monkeypatch, seconds, most, worth):
    now = [0.0]
    monkeypatch.setattr(devices.time, "perf_counter", lambda: now[0])

    def work():
        now[0] += seconds[torch.get_num_threads()]

    assert threads_worth(work, most) == worth
