"""The options of `train`, read and checked."""

import contextlib
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from engine.choices import (
    NETWORKS,
    CleanerName,
    CloudChoice,
    NetworkName,
    Precision,
    PresetName,
    RecipeName,
    StopWhen,
)
from engine.errors import InputError
from engine.machine.cloud.metadata import require_base
from engine.run.sample import StepChoice
from engine.run.stop import MAX_USD, NONE, STOP_FORMS_IN_A_SHELL, Stop, parse_budget, parse_stop

Price = float | Literal["auto"]
"""US dollars an hour, or that they come from the cloud, or else from a table."""

# What a shell may have left of a sum: of $30 it takes $3 for a name, which stands for nothing, and
# of a $5 all, so that an option takes the next one for its value.
_MAYBE_A_SUM = re.compile(r"-.*|[$0-9.,]*")
_MAX_PRICE = 1_000_000
_LEADING_ZERO = re.compile(r"0[0-9].*")
_SHELL_VARIABLE = "the shell expands the $3 of an unquoted $30"
QUOTE_A_SUM = "if you meant a sum, quote it for the shell: '$25'"
"""A hint for a stop that a shell may have made of a sum."""


def parse_budget_option(text: str) -> float:
    """Read what `--budget` was given as US dollars; 0 for `none`.

    Raises:
        InputError: it is no sum of money; saying what a shell may have done to it.
    """
    value = text.strip()
    try:
        return parse_budget(value)
    except InputError as error:
        hint = f"; {_SHELL_VARIABLE}, so quote it: '$30'" if _MAYBE_A_SUM.fullmatch(value) else ""
        raise InputError(f"{error}{hint}") from error


def parse_stop_option(text: str, option: str = "--stop-at") -> Stop:
    """Read what `--stop-at`, or another option for a stop, was given.

    Raises:
        InputError: it is no time to stop; saying what a shell may have done to it.
    """
    value = text.strip()
    if value.lower() == NONE:
        return NONE
    forms = f"{STOP_FORMS_IN_A_SHELL}, or none"
    try:
        rule = parse_stop(value, forms)
    except InputError as error:
        hint = f"; {QUOTE_A_SUM}" if _MAYBE_A_SUM.fullmatch(value) else ""
        raise InputError(f"{option}: {error}{hint}") from error
    if _LEADING_ZERO.fullmatch(value):
        raise InputError(f"{option}: cannot stop at {value}; write {forms}; {QUOTE_A_SUM}")
    return rule


def parse_price(text: str) -> Price:
    """Read `0.99`, `$0.99` or `auto`; refuses anything else."""
    return "auto" if text.strip() == "auto" else parse_dollars(text, ", or auto")


def parse_dollars(text: str, or_else: str = "") -> float:
    """Read `0.99` or `$0.99` as US dollars an hour; refuses anything else."""
    with contextlib.suppress(ValueError):
        if 0 <= (usd := float(text.strip().removeprefix("$"))) < _MAX_PRICE:
            return usd
    raise InputError(f"--price is {text!r}; give US dollars an hour, such as 0.99{or_else}")


MAX_WAIT_SECONDS = 300.0
"""A run that waits for a person ends after so long without a key, unless `hold` is set: the machine
costs as much as one that trains."""


@dataclass(frozen=True)
class TrainOptions:
    """What one run of training was asked to do.

    None means: as the voice has it, or the default for a new voice.
    """

    voice_folder: Path
    dataset: Path | None = None
    """A folder in LJ Speech layout; may be left out for a voice that exists."""
    network: NetworkName = "text2mel"
    both: bool = False
    """Train SSRN too, beside Text2Mel, which `network` then names."""
    source: Path | None = None
    """A voice, an export or a checkpoint whose weights a new voice starts from."""
    next_source: Path | None = None
    """The same for a network that is trained next in the run, where the voice has none."""
    source_step: StepChoice | None = None
    """Which checkpoint of the source's network; None for its newest."""
    vocabulary: str | None = None
    """The symbols of a new voice; without them it has those of its source."""
    cleaner: CleanerName | None = None
    """How text is made to fit the symbols of a new voice; without it as its source does."""
    preset: PresetName | None = None
    recipe: RecipeName | None = None
    precision: Precision = "auto"
    device: str = "auto"
    """`auto`, `cpu` or `cuda:N`; for both networks also two, `cuda:0,cuda:1`."""
    stop: Stop | None = None
    """None for the previous run's stop, if it did not reach it; preflight then puts that here. A
    `StoredStop` is taken as it is, also where it is reached."""
    ssrn_stop: Stop | None = None
    """SSRN's where both are trained; None for the same as `stop`."""
    stop_when: StopWhen = ""
    """What ends this run besides; the next one is to be told again."""
    price: Price | None = None
    budget: float | None = None
    """US dollars that all runs of the voice may cost, idle time included; 0 for no budget."""
    checkpoint_every: int | None = None
    """Steps from one checkpoint to the next."""
    checkpoint_minutes: float | None = None
    """A checkpoint is saved at least every so many minutes of training."""
    dropout: float | None = None
    """Share of activations dropped after every layer."""
    demo: bool = False
    """It is `voicecoach demo`: of the source it takes only the network that it trains, and its end
    names what to do next."""
    keep_errors: bool | None = None
    """Train on clips that the check found errors in, too, where they can be read."""
    tensorboard: bool | None = None
    """Write event files for TensorBoard."""
    gpus: str = ""
    """How many GPUs share each batch, or auto, as `--gpus` was given; empty for one process."""
    attended: bool = False
    """A screen is open: wait at the stop for what the person wants next."""
    hold: bool = False
    """Wait for the person without limit as long as a screen is there, read or not."""
    cloud: CloudChoice | None = None
    """The cloud to poll for spot interruptions; None for the one that the environment or else the
    firmware names."""
    metadata_url: str | None = None
    """Base address of the metadata service; None for the environment's, or the cloud's own."""
    on_interrupt: str | None = None
    """A shell command that is run when the cloud takes the machine away."""
    mirror: str | None = None
    """Where checkpoints are copied to, if anywhere."""
    mirror_sequence: int | None = None
    """The highest sequence in the mirror when the run was started; None where it could not be
    reached. See `engine.mirror.restore`."""
    restore: str | None = None
    """A mirror whose voice is fetched and goes on, as `--from` names it."""
    notify: tuple[str, ...] = field(default=(), repr=False)
    """Where notices are sent, as apprise writes it. They hold secrets: nothing may store them."""

    @property
    def networks(self) -> tuple[NetworkName, ...]:
        """What is trained."""
        return NETWORKS if self.both else (self.network,)

    def of(self, network: NetworkName) -> "TrainOptions":
        """The options for one of the networks; of two devices, SSRN has the second."""
        devices = self.device.split(",")
        return replace(
            self,
            network=network,
            device=devices[-1] if network == "ssrn" else devices[0],
            stop=self.ssrn_stop or self.stop if network == "ssrn" else self.stop,
        )

    def __post_init__(self) -> None:
        devices = self.device.split(",")
        # The same device twice would count as two, and auto may be any.
        named = {"cuda:0" if one == "cuda" else one for one in devices} - {""}
        pair = len(devices) > 1
        if len(named) < len(devices) or len(devices) > 1 + self.both or (pair and "auto" in named):
            raise InputError(
                f"--device is {self.device!r}; name one device, or two with --network both, such "
                f"as cuda:0,cuda:1"
            )
        if self.ssrn_stop is not None and not self.both:
            raise InputError("--ssrn-stop-at goes with --network both; give --stop-at")
        if self.budget is not None and not 0 <= self.budget <= MAX_USD:
            raise InputError(f"--budget is {self.budget}; give US dollars, such as 30, or none")
        if self.source_step is not None and self.source is None:
            raise InputError("--from-step goes with --from and the folder of a voice")
        if self.metadata_url is not None:
            require_base(self.metadata_url)
        if self.on_interrupt is not None and not self.on_interrupt.strip():
            raise InputError("--on-interrupt is empty; give a command, such as 'sync'")
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise InputError(f"--dropout is {self.dropout}; give a share from 0 to below 1")
        if self.checkpoint_every is not None and self.checkpoint_every < 1:
            raise InputError(
                f"--checkpoint-every is {self.checkpoint_every}; give steps, such as 1000"
            )
        minutes = self.checkpoint_minutes
        if minutes is not None and not 0 < minutes < 1_000_000:
            raise InputError(f"--checkpoint-minutes is {minutes}; give minutes, such as 5")
