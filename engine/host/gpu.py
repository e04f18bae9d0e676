"""What the GPU is doing, read through NVIDIA's management library where it answers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GpuReading:
    """One look at the GPU."""

    utilisation: int
    """Per cent of the last sampling period."""
    memory_used: int
    """Bytes."""
    memory_total: int
    """Bytes."""
    temperature: int | None
    """Degrees Celsius."""
    power: float | None
    """Watts."""


class GpuMonitor:
    """Reads one GPU; where that is not possible, says why."""

    def __init__(self, uuid: str | None) -> None:
        """Look for the GPU with this UUID, as torch tells it; None when training is on the CPU.

        The number that torch counts a GPU by is not NVML's where `CUDA_VISIBLE_DEVICES` is set.
        """
        self.absent = ""
        self._handle: object | None = None
        if uuid is None:
            self.absent = "training runs on the CPU"
            return
        try:
            import pynvml
        except ImportError as error:
            self.absent = f"nvidia-ml-py is not installed: {error}"
            return
        self._nvml = pynvml
        try:
            pynvml.nvmlInit()
            self._handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
        except pynvml.NVMLError as error:
            self.absent = f"NVML does not answer: {error}"

    def read(self) -> GpuReading | None:
        """Return a reading, or None where there is none; `absent` then says why."""
        if self._handle is None:
            return None
        nvml = self._nvml
        try:
            memory = nvml.nvmlDeviceGetMemoryInfo(self._handle)
            use = nvml.nvmlDeviceGetUtilizationRates(self._handle)
        except nvml.NVMLError as error:
            self.absent = f"NVML does not answer: {error}"
            return None
        return GpuReading(
            utilisation=int(use.gpu),
            memory_used=int(memory.used),
            memory_total=int(memory.total),
            temperature=self._temperature(),
            power=self._power(),
        )

    def _temperature(self) -> int | None:
        """Degrees Celsius; some virtual GPUs do not tell."""
        nvml = self._nvml
        try:
            return int(nvml.nvmlDeviceGetTemperature(self._handle, nvml.NVML_TEMPERATURE_GPU))
        except nvml.NVMLError:
            return None

    def _power(self) -> float | None:
        """Watts; some virtual GPUs do not tell."""
        try:
            return float(self._nvml.nvmlDeviceGetPowerUsage(self._handle)) / 1000
        except self._nvml.NVMLError:
            return None
