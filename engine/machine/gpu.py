"""What the GPU is doing, read through NVIDIA's management library where it answers."""

import logging
from collections.abc import Callable

from msgspec import Struct

from engine.machine.background import BackgroundThread, Report

_log = logging.getLogger(__name__)

# Readings that fail one after the other until there are to be no more; one alone may fail while
# the driver is busy.
_MAX_FAILURES = 5
_POLL_SECONDS = 2.0


class GpuReading(Struct, frozen=True):
    """One reading of the GPU."""

    utilisation: int | None
    """Per cent of the last sampling period; a slice of a GPU (MIG) has none."""
    memory_used: int
    """Bytes."""
    memory_total: int
    """Bytes."""
    temperature: int | None
    """Degrees Celsius; some virtual GPUs have no sensor."""
    power: float | None
    """Watts; some virtual GPUs have no sensor."""


class GpuMonitor:
    """Reads one GPU; where that is not possible, says why."""

    def __init__(self, uuid: str | None) -> None:
        """Look for the GPU with this UUID, as torch has it; None when training is on the CPU.

        The number that torch counts a GPU by is not NVML's where `CUDA_VISIBLE_DEVICES` is set.
        """
        self.absent = ""
        self._failures = 0
        if uuid is None:
            self.absent = "training on the CPU"
            return
        try:
            import pynvml

            pynvml.nvmlInit()
            self._nvml = pynvml
            self._find(uuid)
        except ImportError as error:
            self.absent = f"nvidia-ml-py is not installed: {error}"
        except Exception as error:
            # Its own kind of error, or one of reading what an odd driver says.
            self.absent = _words(error)

    def _find(self, uuid: str) -> None:
        """Find a GPU, or a slice of one (MIG), whose UUID torch gives alike.

        A slice knows its memory alone; temperature and power are of the whole GPU.
        """
        nvml = self._nvml
        try:
            self._handle = self._whole = nvml.nvmlDeviceGetHandleByUUID(uuid)
        except nvml.NVMLError as error:
            try:
                slice_uuid = uuid.replace("GPU-", "MIG-", 1)
                self._handle = nvml.nvmlDeviceGetHandleByUUID(slice_uuid)
            except nvml.NVMLError:
                raise error from None
            self._whole = nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self._handle)

    def read(self) -> GpuReading | None:
        """Return a reading, or None where there is none; `absent` says why there will be none."""
        if self.absent:
            return None
        try:
            reading = self._read()
        except Exception as error:
            self._failures += 1
            if self._failures >= _MAX_FAILURES:
                self.absent = _words(error)
                _log.warning("GPU monitoring has stopped", exc_info=error)
            return None
        self._failures = 0
        return reading

    def _read(self) -> GpuReading:
        nvml = self._nvml
        memory = nvml.nvmlDeviceGetMemoryInfo(self._handle)
        temperature = self._sensor(nvml.nvmlDeviceGetTemperature, nvml.NVML_TEMPERATURE_GPU)
        milliwatts = self._sensor(nvml.nvmlDeviceGetPowerUsage)
        return GpuReading(
            utilisation=self._sensor(lambda gpu: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu),
            memory_used=int(memory.used),
            memory_total=int(memory.total),
            temperature=temperature,
            power=None if milliwatts is None else milliwatts / 1000,
        )

    def _sensor(self, read: Callable[..., int], *what: int) -> int | None:
        try:
            return int(read(self._whole, *what))
        except self._nvml.NVMLError:
            return None


def poll_gpu(
    uuid: str | None, update: Callable[[GpuReading | None, str], None], report: Report
) -> BackgroundThread:
    """Start to read a GPU every two seconds, in a thread that a slow driver may hold up.

    Args:
        uuid: of the GPU; None when training is on the CPU.
        update: takes each reading and why there are none; not called again after that.
        report: takes an unexpected failure.
    """
    monitor: GpuMonitor | None = None

    def check() -> None:
        nonlocal monitor
        if monitor is None:
            monitor = GpuMonitor(uuid)
        elif monitor.absent:
            return
        update(monitor.read(), monitor.absent)

    thread = BackgroundThread("GPU monitoring", check, report, every=_POLL_SECONDS)
    thread.start()
    thread.request()
    return thread


def _words(error: Exception) -> str:
    return f"NVML does not answer: {error}"
