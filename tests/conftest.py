"""What holds for all tests, and a small voice for those that want one.

The engine is imported in the fixtures that need it: a test of a parser answers at once.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from paths import SPEECH

if TYPE_CHECKING:
    from engine.data.audio import AudioSpec
    from engine.voice.folder import Voice

# Tests run side by side: with a thread each they keep out of one another's way. It is read when
# torch is imported, in the processes that tests start as well.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Search what collecting loads for no garbage: it stays, and each search takes a moment."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _a_state_folder_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the runs of tests out of the list that `voicecoach ps` shows a person."""
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    yield
    if before is None:
        del os.environ["XDG_STATE_HOME"]
    else:
        os.environ["XDG_STATE_HOME"] = before


@pytest.fixture(autouse=True, scope="session")
def _no_cloud() -> Iterator[None]:
    """Ask no cloud anything, on a rented machine neither; the processes of tests are told, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VOICECOACH_CLOUD", "none")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@pytest.fixture(scope="session")
def small_audio() -> AudioSpec:
    """Fewer bins and bands than a voice has, so that a step takes milliseconds."""
    from engine.data.audio import AudioSpec

    return AudioSpec(n_fft=512, win_length=512, n_mels=20)


@pytest.fixture
def make_voice(tmp_path: Path, make_voice_at: Callable[..., Voice]) -> Callable[..., Voice]:
    """Make a voice by its name; otherwise as `make_voice_at`."""
    return lambda name="voice", **given: make_voice_at(tmp_path / name, **given)


@pytest.fixture(scope="session")
def make_voice_at(small_audio: AudioSpec) -> Callable[..., Voice]:
    """Make a voice with narrow networks of random weights, at the steps that are asked for."""

    def make(
        folder: Path,
        *,
        dataset: Path = SPEECH,
        text2mel: int | None = 0,
        ssrn: int | None = None,
        base_step: int = 0,
        hidden: int = 16,
        **settings: Any,
    ) -> Voice:
        import torch

        from engine.checkpoints.checkpoint import Checkpoint, save_checkpoint
        from engine.networks.build import build_network
        from engine.networks.specs import SSRNSpec, Text2MelSpec
        from engine.voice.folder import Voice
        from engine.voice.settings import VoiceSettings

        # Speaking what random weights say takes longer than a short training.
        given = {"series": False, "evaluation": False, **settings}
        voice = Voice.create(
            folder,
            VoiceSettings(dataset=dataset, preset="small", audio=small_audio, **given),
        )
        symbols = voice.settings.symbols
        specs = {
            "text2mel": Text2MelSpec(len(symbols), small_audio.n_mels, embedding=16, hidden=hidden),
            "ssrn": SSRNSpec(small_audio.n_mels, small_audio.n_bins, hidden=hidden),
        }
        torch.manual_seed(7)
        for network, step in (("text2mel", text2mel), ("ssrn", ssrn)):
            if step is None:
                continue
            weights = dict(build_network(specs[network]).named_parameters())
            checkpoint = Checkpoint(
                network=network,  # type: ignore[arg-type]
                spec=specs[network],
                symbols=symbols,
                step=step,
                base_step=min(base_step, step),
                recipe="standard",
                seed=1,
                weights={name: weight.detach() for name, weight in weights.items()},
            )
            save_checkpoint(checkpoint, voice.checkpoint_folder(network, step))
        return voice

    return make
