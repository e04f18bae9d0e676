"""Make a trained voice small enough to bundle: its newest speaking weights in half precision."""

import argparse
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from engine.choices import NETWORKS
from engine.errors import InputError, VoicecoachError
from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings


def bundle(voice: Voice, out: Path, sentence: str) -> int:
    """Write what `--from` and `say` need of a voice into a new folder.

    Returns:
        The size of all its files in bytes.

    Raises:
        InputError: the voice lacks one of the networks, or the folder holds something else.
    """
    newest = {network: voice.newest(network) for network in NETWORKS}
    lacking = [network for network, entry in newest.items() if entry is None]
    if lacking:
        raise InputError(f"The voice {voice.folder} has no {lacking[0]}; train it first.")
    if out.exists():
        # Nobody has trained in a bundle; whatever else is there is somebody's work.
        if not Voice.exists(out) or Voice.open(out).spend.entries:
            raise InputError(f"{out} holds something else than a bundled voice; give a new folder.")
        shutil.rmtree(out)
    theirs = voice.settings
    small = Voice.create(
        out,
        VoiceSettings(
            dataset=Path("../corpus"),
            preset=theirs.preset,
            symbols=theirs.symbols,
            dropout=theirs.dropout,
            sharpening=theirs.sharpening,
            sentences=(sentence,),
            audio=theirs.audio,
            limits=theirs.limits,
        ),
    )
    for network, entry in newest.items():
        assert entry is not None
        full = load_checkpoint(entry.path, with_optimizer=False)
        halves = {name: tensor.half() for name, tensor in full.inference_weights.items()}
        half = replace(full, weights=halves, ema={}, optimizer={})
        save_checkpoint(half, small.checkpoint_folder(network, full.step))
    return sum(path.stat().st_size for path in out.rglob("*") if path.is_file())


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Example: python assets/recipe/bundle.py build/voice --out assets/demo/voice",
    )
    parser.add_argument("voice", type=Path, help="a trained voice")
    parser.add_argument("--out", type=Path, default=Path("assets/demo/voice"), help="a folder")
    parser.add_argument(
        "--sentence",
        default="The morning train leaves at half past seven.",
        help="what auditions speak",
    )
    options = parser.parse_args()
    try:
        size = bundle(Voice.open(options.voice), options.out, options.sentence)
    except VoicecoachError as error:
        print(f"bundle: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{options.out}: {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
