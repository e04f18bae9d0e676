"""How exported weights are laid out, told for programs other than this one."""

LAYOUT = {
    "tensors": "Channels come last: activations are (time, channels). The number in a tensor's "
    "name is its layer's place in the stack, from 0. Dropout plays no part in speaking.",
    "convolution": "convolution.weight (out, kernel, in), the oldest tap first; convolution.bias "
    "(out). Taps lie a dilation apart. audio_encoder and audio_decoder are causal: all of the "
    "(kernel - 1) * dilation frames of zeros come before the first frame; in text_encoder and "
    "SSRN one half comes before the first and one after the last. Then layer normalisation over "
    "the channels by norm.weight, norm.bias and the spec's epsilon; then ReLU where it is named.",
    "highway": "A convolution to twice the channels: the gate first, then the candidate; each "
    "half is normalised alone, by its row of norm_weight and norm_bias (2, channels). The output "
    "is x + sigmoid(gate) * (candidate - x).",
    "upsampling": "weight (out, 3, in), bias (out). Frame 2t of the output is weight[:, 0] x[t] + "
    "weight[:, 2] x[t - 1] + bias, frame 2t + 1 is weight[:, 1] x[t] + bias; then layer "
    "normalisation.",
    "text2mel": "text_encoder: rows of embedding.weight, zeros for padding; convolution of kernel "
    "1 with ReLU, convolution of kernel 1, highways of kernel 3 with dilations 1 3 9 27 1 3 9 27 "
    "1 1, two highways of kernel 1. The first half of its channels are the keys K, the second "
    "the values V. With mask_text, padding becomes zero again after every layer. "
    "audio_encoder, of the coarse mel one frame late, zeros first: three convolutions of kernel "
    "1, the first two with ReLU; highways of kernel 3 with dilations 1 3 9 27 1 3 9 27 3 3: the "
    "queries Q. Attention A is the softmax over the text of Q K / sqrt(hidden). audio_decoder, "
    "of A V and Q side by side: convolution of kernel 1, highways of kernel 3 with dilations "
    "1 3 9 27 1 1, three convolutions of kernel 1 with ReLU, one without. The sigmoid of it is "
    "the coarse mel.",
    "ssrn": "Convolution of kernel 1; highways of kernel 3 with dilations 1 3; twice an "
    "upsampling and highways 1 3; convolution of kernel 1 to twice the channels; highways 1 1; "
    "convolution of kernel 1 to the bins; two more with ReLU; one without. The sigmoid of it is "
    "the magnitude, four frames for every coarse one.",
    "text": "The number of a symbol is its place in symbols, from 0: 0 is padding, 1 the end of "
    "every text. Text is in lower case and without accents; a character that symbols lacks "
    "becomes a space, and several spaces become one. The cleaner 'english' writes numbers and "
    "abbreviations as words first; 'plain' does not. A network without mask_text wants its texts "
    "padded to limits.max_characters.",
    "audio": "One channel at sample_rate Hz; x[n] - preemphasis * x[n - 1]; magnitudes of Fourier "
    "transforms of n_fft samples every hop_length samples under a Hann window of win_length; "
    "n_mels bands of them by librosa's default filter bank. 20 log10(max(1e-5, amplitude)) is L; "
    "(L - ref_db + max_db) / max_db, kept within 0 and 1, is what the networks see. The coarse "
    "mel is every reduction-th frame. On the way back amplitudes are raised to sharpening.",
}
"""Notes on the weights, the text and the sound, by subject."""
