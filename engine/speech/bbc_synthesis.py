"""Synthesis as the BBC's DC-TTS code does it, for comparison with what that code computed.

It differs from `engine.speech.synthesizer` in what a frame remembers: for every new frame the
window of attention at that moment is applied to all frames before it too, so the decoder hears
another past than the one it spoke. It always speaks the same number of frames.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.data.clips import Limits
from engine.errors import Cancelled
from engine.networks.text2mel import Text2Mel
from engine.speech.synthesizer import Spoken, require_finite, symbol_tensor
from engine.speech.vocoder import VocoderSettings
from engine.text.vocabulary import Vocabulary

ORIGINAL_VOCODER = VocoderSettings(sharpening=1.5, rounds=50, momentum=0.0, phases="zero")
"""Griffin-Lim with the constants of the BBC's code."""

# What the original writes into scores outside the window: after the softmax exactly 0.
_HIDDEN = -(2.0**32) + 1
_WIDTH = 3


def speak_as_bbc(
    text2mel: Text2Mel,
    vocabulary: Vocabulary,
    limits: Limits,
    sentence: str,
    *,
    cancelled: Callable[[], bool] = lambda: False,
) -> Spoken:
    """Speak one text as `speak_sentence` does, padded to the limits in symbols and in frames.

    The attention has rows for the padding.
    """
    text = vocabulary.clean(sentence)
    symbols = symbol_tensor(text, vocabulary, limits.max_characters, padded=True)
    device = text2mel.text_encoder.embedding.weight.device
    mels, attentions = synthesise_bbc(
        text2mel, symbols.to(device), limits.max_coarse_frames, cancelled=cancelled
    )
    mel, attention = mels[0].cpu().numpy(), attentions[0].cpu().numpy()
    require_finite(mel, "Text2Mel")
    reached = int(attention.argmax(axis=0).max())
    return Spoken(text, mel, attention, finished=reached >= len(text) - 1)


@torch.inference_mode()
def synthesise_bbc(
    text2mel: Text2Mel,
    texts: Tensor,
    frames: int = 210,
    *,
    cancelled: Callable[[], bool] = lambda: False,
) -> tuple[Tensor, Tensor]:
    """Speak a batch of texts with the whole network run anew for every frame.

    Every frame's attention sees the window `[previous, previous + 3)`, where `previous` is the
    character that the frame before the newest attended to, 0 at first. Frames still to come
    are left out of each run: causal layers would not see them. The network is put into
    evaluation mode.

    Args:
        text2mel: a network without text masks, as imported from the original. One that has them
            was never shown padding; its window ends with the text.
        texts: symbol numbers, 0 for padding; the original pads to 180, `(B, N)`.
        frames: coarse frames to speak.
        cancelled: asked between frames whether to give up.

    Returns:
        The coarse mel `(B, frames, n_mels)`, and the attention `(B, N, frames)` with the weights
        that every frame had when it was the newest.

    Raises:
        Cancelled: `cancelled()` became true.
    """
    text2mel.eval()
    key, value = text2mel.text_encoder.encode(texts)
    mel = key.new_zeros(len(texts), frames, text2mel.spec.n_mels)
    attention = key.new_zeros(len(texts), texts.shape[1], frames)
    previous = torch.zeros(len(texts), dtype=torch.long, device=key.device)
    positions = torch.arange(texts.shape[1], device=key.device)
    unseen = (texts == 0) & text2mel.spec.mask_text  # (B, N)
    for t in range(frames):
        if cancelled():
            raise Cancelled("The text was not spoken to its end.")
        before = F.pad(mel[:, :t], (0, 0, 1, 0))  # (B, t + 1, n_mels)
        query = text2mel.audio_encoder(before)
        scores = query @ key.transpose(1, 2) / query.shape[-1] ** 0.5  # (B, t + 1, N)
        outside = (positions < previous[:, None]) | (positions >= previous[:, None] + _WIDTH)
        hidden = (outside | unseen)[:, None]
        weights = torch.softmax(scores.masked_fill(hidden, _HIDDEN), dim=-1)
        logits = text2mel.audio_decoder(torch.cat((weights @ value, query), dim=-1))
        mel[:, t] = torch.sigmoid(logits[:, t])
        attention[:, :, t] = weights[:, t]
        previous = weights[:, t].argmax(dim=-1)
    return mel, attention
