"""What a voice has saved: the steps of its checkpoints, their tensors, and its event files."""

import torch
from safetensors.torch import load_file


def steps(voice, network="text2mel"):
    return [entry.step for entry in voice.checkpoints(network)]


def tensors(voice, step, network="text2mel"):
    """Every tensor of a checkpoint, by the name of its file and its own."""
    folder = voice.checkpoint_folder(network, step)
    return {
        (path.name, name): tensor
        for path in folder.glob("*.safetensors")
        for name, tensor in load_file(path).items()
    }


def same(one, other):
    """Whether tensors have the same names, and are the same to the bit."""
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def in_tensorboard(voice, network="text2mel"):
    """What TensorBoard shows of a network."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    everything = dict.fromkeys(("scalars", "images", "audio"), 0)
    return EventAccumulator(str(voice.events(network)), everything).Reload()
