"""Every kind of finding, with its usual severity and what to do about it."""

from engine.check.report import Finding, Severity
from engine.data.clips import METADATA, RECORDINGS
from engine.data.metadata import LEFT_OUT

_SPOKEN = "write what is spoken, or delete the line"
_UNLESS_SPOKEN = "delete it unless it is spoken"
_NO_QUOTING = "write the file without quoting: quotes are text here"
_RESTORE = "write the intended characters, and open the file as UTF-8 from now on"
_INVISIBLE = "delete the invisible character"
_EXPORT_AGAIN = "export it again as 16-bit WAV or FLAC"
_CUT_PAUSE = "cut it to less than 0.5 s, as `voicecoach clean` does"
_LEVEL = "bring it to the level of the others, as `voicecoach clean` does"
_FILTERED = "remove it with a high-pass filter, as `voicecoach clean` does"
_SPLIT = "split it at a pause, and its text with it, as `voicecoach clean` does where it can"
_OTHER_TEXT = "listen to it: the text is another clip's, or "
NOTHING = "nothing to do"

KINDS: dict[str, tuple[Severity, str]] = {
    # metadata.csv as a file
    "not-utf-8": ("error", f"save {METADATA} as UTF-8; training cannot read it until then"),
    "zero-byte": ("error", "the file is damaged: write the line again or restore a backup"),
    "byte-order-mark": ("error", "delete the invisible characters in the id, or type it again"),
    "mixed-line-ends": ("note", "save it with one kind of line end, as some editors need"),
    "empty-list": ("error", "write one line id|text per recording"),
    "no-end": ("note", "end sentences with a full stop, so that the voice learns to fall there"),
    # its lines
    "header": ("warning", f"delete the line: {METADATA} has no header"),
    "csv-quotes": ("error", _NO_QUOTING),
    "wrong-separator": ("error", "put | between the id and the text"),
    "field-count": ("error", "keep | out of the text: id|text or id|text|normalised text"),
    "no-id": ("error", "write the name of its recording before the |"),
    "unprintable-id": ("error", "delete the invisible characters in the id, or type it again"),
    "outside-wavs": ("error", f"write the path below {RECORDINGS}/"),
    "no-text": ("error", "write what is spoken after the |, or delete the line"),
    "duplicate-id": ("error", "keep the line with the right text and delete the other"),
    "ids-alike": ("warning", "rename one: on many computers both are the same file"),
    "same-text": ("note", "listen to both: one may have the other's text, or be a second take"),
    # the files that they name
    "missing-recording": ("error", f"put the recording into {RECORDINGS}/, or delete the line"),
    "swapped-fields": ("error", "write the id first: id|text"),
    "two-recordings": ("warning", "keep the right one and delete the other"),
    "orphaned-recording": ("warning", "add a line with its transcript, or remove it"),
    "other-format": ("warning", "convert it to WAV or FLAC and add a line for it, or remove it"),
    # transcripts
    "unreadable-text": ("error", "write what is spoken in the voice's letters, or delete the line"),
    "text-too-long": ("error", _SPLIT),
    "no-words": ("error", _SPOKEN),
    "placeholder": ("error", _SPOKEN),
    "text-is-id": ("error", _SPOKEN),
    "lost-character": ("error", _RESTORE),
    "mangled-characters": ("error", _RESTORE),
    "control-character": ("warning", _INVISIBLE),
    "invisible-character": ("warning", _INVISIBLE),
    "annotation": ("error", "write only what is spoken; leave out clips with other sounds"),
    "markup": ("note", "leave tags out of the text"),
    "bracketed": ("warning", "delete the brackets if it is spoken, and all of it if not"),
    "escape": ("error", "write the character that it stands for, or a space"),
    "time-stamp": ("warning", _UNLESS_SPOKEN),
    "speaker-label": ("warning", _UNLESS_SPOKEN),
    "unread-digits": ("warning", "write numbers out as words"),
    "all-capitals": ("note", f"{NOTHING}: it is read like any other text"),
    "repeated-text": ("warning", "delete the part that is not spoken"),
    "repeated-word": ("warning", "delete the part that is not spoken"),
    "mixed-alphabets": ("warning", "type the word again"),
    "other-script": ("warning", "write it in Latin letters as it is spoken, or leave the clip out"),
    "long-word": ("warning", "restore the missing spaces"),
    "columns-differ": ("error", "check whether a column moved: both texts must say the same"),
    "other-language": ("warning", "use a vocabulary with the letters of these texts"),
    "unknown-character": ("note", "write the texts without it, or use a vocabulary that has it"),
    # sound files
    "not-a-file": ("error", "put a WAV or FLAC recording in its place"),
    "too-large": ("error", "cut it into clips"),
    "empty": ("error", "copy or export it again"),
    "unreadable": ("error", f"copy it again, or {_EXPORT_AGAIN}"),
    "truncated": ("error", "copy it again from the source, or export what there is of it"),
    "not-wav-or-flac": ("error", "convert it to 16-bit WAV or FLAC; renaming is not enough"),
    "unfinished-header": ("warning", "compare its end with the text, then export it again"),
    "id3-tag": ("note", f"{NOTHING}: it is skipped"),
    "absurd-samples": ("error", _EXPORT_AGAIN),
    "lossy-coding": ("warning", f"{_EXPORT_AGAIN} from the original recording"),
    "8-bit": ("warning", f"{_EXPORT_AGAIN} from the original recording"),
    "misnamed": ("note", f"{NOTHING}: it is read anyway"),
    # sound
    "silent": ("error", "record or export it again, or leave the clip out"),
    "other-rate": ("note", NOTHING),
    "low-rate": ("warning", "export it from the original recording, if that has a higher rate"),
    "too-long": ("error", _SPLIT),
    "too-short": ("warning", "join it to another clip or leave it out, unless it is a whole word"),
    "tone": ("error", "leave the clip out: a beep is no speech"),
    "too-loud": ("error", "listen to it: only noise or heavily clipped sound is this loud"),
    "nearly-silent": ("error", "record it again or leave the clip out: it is next to inaudible"),
    "quiet": ("warning", "raise it to the level of the others, about −20 dB"),
    "noisy": ("warning", "listen to it: remove the noise or leave the clip out"),
    "leading-pause": ("warning", _CUT_PAUSE),
    "trailing-pause": ("warning", _CUT_PAUSE),
    "inner-pause": ("warning", f"{_CUT_PAUSE}, or split the clip there"),
    "clipped": ("warning", "record it again at a lower level, or leave the clip out"),
    "over-full-scale": ("warning", "lower it before saving it in a format that would clip it"),
    "dc-offset": ("warning", _FILTERED),
    "hum": ("warning", _FILTERED),
    "dropout": ("warning", "export it again, or leave the clip out"),
    "click": ("warning", "cut it out or record it again, or leave the clip out"),
    "cut-off": ("warning", "compare its last word with the text; copy or cut it again"),
    "upsampled": ("warning", "export it from the original, or the voice will sound just as dull"),
    "stereo": ("note", NOTHING),
    "many-channels": ("note", NOTHING),
    "dead-channel": ("warning", "export only the channel with the voice"),
    "different-channels": ("warning", "export only the better channel"),
    "opposed-channels": ("error", "export only the better channel"),
    # recordings next to each other
    "duplicate-recording": ("error", "delete the line: the voice has heard this recording"),
    "mixed-rates": ("warning", "find out why: another microphone or program sounds different"),
    "loudness-outlier": ("warning", _LEVEL),
    "loudness-spread": ("warning", "level the recordings, as `voicecoach clean` does"),
    "spoken-too-fast": ("warning", f"{_OTHER_TEXT}the recording was cut short"),
    "spoken-too-slowly": ("warning", f"{_OTHER_TEXT}lacks words, or there is a long pause"),
    "shifted-texts": ("error", "check whether a line was lost or added there"),
    LEFT_OUT: ("note", "press x in the check of a run, or edit left_out, to use it again"),
    "doubted-transcript": ("warning", "listen to it and compare every word with its text"),
    # the corpus
    "too-few-clips": ("error", "fix the errors or record more: training needs at least two clips"),
    "little-speech": ("note", "record more: the BBC's voices were made from one to three hours"),
    "out-of-memory": ("error", "use a GPU with more memory, or split the longest clips"),
    "absent-letters": ("warning", "record sentences with words that contain these letters"),
    "absent-marks": ("note", "record sentences with them if they should change how it speaks"),
    "absent-pairs": ("note", "record sentences with words that contain these letter pairs"),
    "few-pairs": ("note", "record more varied sentences"),
}
"""Usual severity and advice of each kind of finding."""

_TITLES = {
    LEFT_OUT: "left out by you",
    "id3-tag": "ID3 tag",
    "8-bit": "8-bit",
    "csv-quotes": "CSV quotes",
    "dc-offset": "DC offset",
    "not-utf-8": "not UTF-8",
    "not-wav-or-flac": "not WAV or FLAC",
}


def finding(
    kind: str,
    figure: str,
    value: float | None = None,
    severity: Severity | None = None,
    *,
    harmful: bool = False,
    advice: str = "",
) -> Finding:
    """A finding of a kind in `KINDS`, about nothing yet (`Finding.at`).

    `severity` and `advice` are given where they differ from the usual ones; `harmful` is an error.
    """
    usual, do = KINDS[kind]
    severity = "error" if harmful else severity or usual
    return Finding(kind, severity, None, "", "", figure, advice or do, value)


def left_out_by_hand() -> Finding:
    """What is said of a clip that the person left out."""
    return finding(LEFT_OUT, "listed in voice.toml")


def title(kind: str) -> str:
    """A kind of finding as words: `missing recording`, `DC offset`."""
    return _TITLES.get(kind, kind.replace("-", " "))


def reason(found: Finding) -> str:
    """A finding as the reason why its clip is left out."""
    kind = title(found.kind)
    return kind if found.figure == kind else f"{kind}: {found.figure}"
