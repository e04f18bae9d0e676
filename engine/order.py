"""What a person orders when they ask for training: the options of `train`, checked."""

from dataclasses import dataclass
from pathlib import Path

from engine.choices import CleanerName, NetworkName, Precision, PresetName, RecipeName
from engine.errors import InputError
from engine.stop import StopRule


@dataclass(frozen=True)
class TrainOrder:
    """One run of training, as it was ordered.

    None means: as the voice has it, or the default for a new voice.
    """

    voice_folder: Path
    dataset: Path | None = None
    """A folder in LJ Speech layout; may be left out for a voice that exists."""
    network: NetworkName = "text2mel"
    source: Path | None = None
    """A voice or a checkpoint whose weights a new voice starts from."""
    vocabulary: str | None = None
    """The symbols of a new voice; without them it has those of its source."""
    cleaner: CleanerName | None = None
    """How text is made to fit the symbols of a new voice; without it as its source does."""
    preset: PresetName | None = None
    recipe: RecipeName | None = None
    precision: Precision = "auto"
    device: str = "auto"
    """`auto`, `cpu` or `cuda:N`."""
    stop: StopRule | None = None
    price: float | None = None
    """US dollars an hour."""
    checkpoint_every: int | None = None
    """Steps from one checkpoint to the next."""
    dropout: float | None = None
    """Share of activations dropped after every layer."""
    attended: bool = False
    """A screen is open: wait at the stop for what the person wants next."""

    def __post_init__(self) -> None:
        if self.price is not None and not 0 <= self.price < 1_000_000:
            raise InputError(f"--price is {self.price}; give US dollars an hour, such as 0.99")
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise InputError(f"--dropout is {self.dropout}; give a share from 0 to below 1")
        if self.checkpoint_every is not None and self.checkpoint_every < 1:
            raise InputError(
                f"--checkpoint-every is {self.checkpoint_every}; give steps, such as 1000"
            )
