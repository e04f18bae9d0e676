"""Where a trained voice's attention stands in a clip that is to be split."""

from collections.abc import Callable

import numpy as np
import pytest
from paths import DEMO_CORPUS, DEMO_VOICE, SPEECH

from engine.check.text_places import is_letter
from engine.data.clips import Clip
from engine.evaluation.attended_letters import attention_of
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary
from engine.voice.folder import Voice


@pytest.mark.slow
def test_attention_goes_through_the_letters_of_a_clip() -> None:
    vocabulary = Vocabulary(BBC_SYMBOLS)
    attend = attention_of(DEMO_VOICE, vocabulary)
    assert attend is not None
    line = (DEMO_CORPUS / "metadata.csv").read_text().splitlines()[3]
    clip_id, text, _ = line.split("|")
    [path] = DEMO_CORPUS.glob(f"wavs/{clip_id}.*")
    clip = Clip(4, clip_id, path, vocabulary.clean(text))
    found = attend(clip, 400)
    letters = sum(map(is_letter, clip.text))
    assert found is not None
    assert found.shape == (400, letters)
    where = found[20:160].argmax(axis=1)
    # Not more, because it is another speaker's clip.
    assert np.corrcoef(where, np.arange(len(where)))[0, 1] > 0.4


@pytest.mark.slow
def test_voice_that_cannot_read_the_texts_is_not_heeded(make_voice: Callable[..., Voice]) -> None:
    assert attention_of(DEMO_VOICE, Vocabulary("PE ab", "plain")) is None
    vocabulary = Vocabulary(BBC_SYMBOLS)
    assert attention_of(make_voice("empty", text2mel=None).folder, vocabulary) is None
    attend = attention_of(make_voice("random").folder, vocabulary)
    assert attend is not None
    text = "in being comparatively modern."
    assert attend(Clip(1, "LJ001-0002", SPEECH / "wavs" / "LJ001-0002.flac", text), 200) is None
