"""The reference models, imported once."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from paths import BBC_REFERENCE

from engine.jobs.import_models import import_voice
from engine.voice.folder import Voice


@pytest.fixture(scope="session")
def reference_models() -> Path:
    """The archive of both networks."""
    return BBC_REFERENCE / "models.tar.gz"


@pytest.fixture(scope="session")
def reference_voice(reference_models, tmp_path_factory) -> Voice:
    """The voice that is made of them; not to be trained."""
    folder = tmp_path_factory.mktemp("reference") / "voice"
    import_voice(reference_models, folder)
    return Voice.open(folder)


@pytest.fixture(scope="session")
def reference():
    """What the original computed, by the name of the file that holds it."""

    def load(name: str) -> SimpleNamespace:
        with np.load(BBC_REFERENCE / f"{name}.npz") as arrays:
            return SimpleNamespace(**arrays)

    return load
