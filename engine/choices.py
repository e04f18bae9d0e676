"""The words that options and files choose among."""

from typing import Literal, get_args

NetworkName = Literal["text2mel", "ssrn"]
"""The two networks of a voice."""

NetworkChoice = Literal["text2mel", "ssrn", "both"]
"""What a run trains."""

PresetName = Literal["bbc", "small"]
"""The sizes of network that a person can ask for by name."""

RecipeName = Literal["standard", "bbc"]
"""`standard` is voicecoach's own way of training, `bbc` the one that it is compared against."""

CleanerName = Literal["english", "plain"]
"""How text is made to fit a voice's symbols: spoken as English words, or as it is written."""

Precision = Literal["auto", "fp32", "bf16", "fp16"]
"""Arithmetic of a step; `auto` takes the fastest that the device has."""

SynthesisName = Literal["standard", "bbc"]
"""How a text is spoken: voicecoach's own way, or exactly as the BBC's code does, to compare."""

CloudName = Literal["aws", "gcp", "azure"]
"""The clouds whose metadata service can be asked what the machine is and when it goes."""

StopWhen = Literal["", "flat"]
"""What ends a run besides its stop; empty for nothing."""
CloudChoice = Literal["auto", "aws", "gcp", "azure", "none"]
"""Which cloud to ask; `auto` asks the one that the machine's firmware names."""

CLOUD_CHOICES: tuple[CloudChoice, ...] = get_args(CloudChoice)
"""All that can be said of the cloud."""

NETWORKS: tuple[NetworkName, ...] = get_args(NetworkName)
"""The networks of a voice, in the order in which they speak."""

NETWORK_TITLES: dict[NetworkName, str] = {"text2mel": "Text2Mel", "ssrn": "SSRN"}
"""The networks as people read their names."""


def networks_of(choice: NetworkChoice) -> tuple[NetworkName, ...]:
    """The networks that a choice means."""
    return NETWORKS if choice == "both" else (choice,)
