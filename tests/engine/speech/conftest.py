import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from paths import SPEECH

from engine.data.audio import AudioSpec, load_recording
from engine.data.spectrograms import analyse
from engine.networks.specs import SSRNSpec, Text2MelSpec
from engine.networks.ssrn import SSRN
from engine.networks.text2mel import Text2Mel
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary

SENTENCE = "has never been surpassed."


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    """The BBC's symbols, and text as it is written."""
    return Vocabulary(BBC_SYMBOLS, "plain")


@pytest.fixture(scope="session")
def audio() -> AudioSpec:
    return AudioSpec()


@pytest.fixture(scope="session")
def recording() -> NDArray[np.float32]:
    """The recording of `SENTENCE`."""
    return load_recording(SPEECH / "wavs" / "LJ001-0008.flac", 22_050)


@pytest.fixture(scope="session")
def features(recording, audio) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mel and magnitude of the recording."""
    return analyse(recording, audio)


def random_text2mel(**changes) -> Text2Mel:
    torch.manual_seed(1)
    return Text2Mel(Text2MelSpec(len(BBC_SYMBOLS), embedding=16, hidden=24, **changes)).eval()


@pytest.fixture
def text2mel() -> Text2Mel:
    """A small network with random weights."""
    return random_text2mel()


@pytest.fixture
def unmasked_text2mel() -> Text2Mel:
    """A small network with random weights that sees padding, as the BBC's does."""
    return random_text2mel(mask_text=False)


@pytest.fixture
def ssrn(audio) -> SSRN:
    torch.manual_seed(2)
    return SSRN(SSRNSpec(n_bins=audio.n_bins, hidden=16)).eval()
