"""What a voice has learned from so far: clips stay held out, and a changed corpus is reported."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from engine.checkpoints.checkpoint import Checkpoint
from engine.checkpoints.state import read_state
from engine.choices import NETWORKS, NetworkName
from engine.data.corpus_changes import CorpusContent, keep_only, load_content
from engine.data.features import FeatureStore
from engine.data.held_out import ClipLength, choose_held_out, chosen_by_hash_alone
from engine.data.metadata import recording_key, shown
from engine.errors import EngineError, InputError, VoicecoachError
from engine.files import make_folder, unremoved_message
from engine.formatting import plural
from engine.run.commands import LeaveOut
from engine.run.publisher import Publisher
from engine.text.unknown import UnknownCharacter, name_of
from engine.voice.folder import Voice, read_corpus_report


@dataclass(frozen=True)
class CorpusHistory:
    """What earlier runs of a voice, of either network, left to know about their recordings."""

    held_out: frozenset[str]
    """Ids of the clips held out so far; none for a voice that has yet to choose, or whose record
    is lost."""
    learned: frozenset[str]
    """Ids of the clips that a network has learned, as far as that is recorded here."""
    unknown: frozenset[str]
    """Characters without a symbol that the last run found."""
    trained: bool
    """Whether a network has learned from a corpus."""

    @classmethod
    def of(cls, voice: Voice) -> "CorpusHistory":
        """Read it; to be called before a run writes `corpus.json` anew."""
        report = read_corpus_report(voice)
        unknown = [one for one in report.get("unknown_characters", ()) if isinstance(one, dict)]
        trained = [network for network in NETWORKS if _is_trained(voice, network)]
        seen = {clip_id for network in trained for clip_id in _clips_of(voice, network)}
        known: Collection[object] = voice.settings.held_out
        if trained and not known:
            # Of an earlier version, which noted them elsewhere.
            known = report.get("held_out") or chosen_by_hash_alone(seen)
        held_out = frozenset(clip_id for clip_id in known if isinstance(clip_id, str))
        characters = frozenset(str(one.get("character")) for one in unknown)
        return cls(held_out, frozenset(seen) - held_out, characters, bool(trained))

    def held_out_of(self, store: FeatureStore, publisher: Publisher) -> frozenset[str]:
        """The clips of a corpus to hold out: those of before that it has, or else other ones.

        What a network has learned tells little: it is held out where nothing else is left.
        """
        seconds = store.audio.coarse_frame_seconds
        clips = {
            clip.clip_id: ClipLength(store.coarse_frames(i) * seconds, len(clip.text))
            for i, clip in enumerate(store.clips)
        }
        held_out = self.held_out
        if self.trained and not held_out:
            held_out = chosen_by_hash_alone(clips)
        # The list may have been written again on a system with another Unicode form.
        known = set(map(recording_key, held_out))
        kept = frozenset(clip_id for clip_id in clips if recording_key(clip_id) in known)
        if kept and len(kept) < len(clips):
            return kept
        new = {clip_id: length for clip_id, length in clips.items() if clip_id not in self.learned}
        chosen = choose_held_out(new or clips)
        if self.held_out:
            learned = "" if new else " (trained on before, so the held-out loss looks too good)"
            others = plural(len(chosen), "other")
            publisher.event(f"no held-out clip is left; holding out {others}{learned}", "warning")
        return chosen

    def new_letters(self, unknown: tuple[UnknownCharacter, ...]) -> str:
        """Name the letters without a symbol that the corpus before did not have."""
        letters = [one.character for one in unknown if one.character.isalnum()]
        return ", ".join(name_of(one) for one in letters if one not in self.unknown)


def _is_trained(voice: Voice, network: NetworkName) -> bool:
    """Whether this voice has learned from a corpus, and did not just come with weights."""
    newest = voice.newest(network)
    try:
        return newest is not None and bool(read_state(newest.path).corpus)
    except InputError:
        return True  # nobody knows


def _clips_of(voice: Voice, network: NetworkName) -> set[str]:
    folder = voice.folder / network / "corpora"
    contents = [load_content(folder, path.stem) for path in folder.glob("*.json")]
    return {clip_id for content in contents if content for clip_id in content.clips}


def note_corpus(voice: Voice, held_out: Collection[str], publisher: Publisher) -> None:
    """Note in `voice.toml` where the recordings are and what is held out; report a new place."""
    try:
        before = voice.note_corpus(held_out)
    except VoicecoachError as error:
        publisher.event(
            f"the place of the recordings is kept for this run only: {error}", "warning"
        )
        return
    if before is not None:
        publisher.event(
            f"recordings now in {voice.dataset} (before: {before}); saved in voice.toml"
        )


def leave_out(
    command: LeaveOut, voice: Voice, known: Iterable[str], publisher: Publisher, when: str = ""
) -> None:
    """Note in `voice.toml` that a clip is not wanted in training, or wanted again; report it.

    `known` are the ids that may be meant, and `when` says from when on it counts.
    """
    name = shown(command.clip_id)
    # Reports show long ids cut.
    clip_id = next((one for one in known if command.clip_id == one or name == shown(one)), None)
    if clip_id is None:
        publisher.event(f"{name} is not among the clips that training can use", "warning")
        return
    try:
        voice.leave_out(clip_id, command.leave_out)
    except VoicecoachError as error:
        publisher.event(f"voice.toml cannot note what becomes of {name}: {error}", "error")
        return
    publisher.update(left_out=voice.settings.left_out)
    publisher.event(f"{name} is {'left out' if command.leave_out else 'used'}{when}")


def report_corpus_change(
    voice: Voice,
    network: NetworkName,
    checkpoint: Checkpoint | None,
    content: CorpusContent,
    new_letters: str,
    publisher: Publisher,
) -> str:
    """Report in what the corpus differs from the one that a checkpoint was trained on.

    What it consists of is saved beside the checkpoints, so that a later run can compare.

    Returns:
        What was reported; nothing where nothing differs, or no other corpus is known.
    """
    folder = voice.folder / network / "corpora"
    known = checkpoint.corpus if checkpoint else ""
    text = ""
    if known and known != content.key:
        old = load_content(folder, known)
        what = "which clips is not known here" if old is None else content.changes_since(old)
        text = f"Recordings changed since {network} was last trained: {what}"
        if unwanted := old and (old.clips.keys() - content.clips.keys()) & {
            *voice.settings.left_out
        }:
            were = plural(len(unwanted), "removed clip was", "removed clips were")
            text += f"; {were} left out by you"
        if new_letters:
            text += f"; the voice has no symbol for {new_letters}"
        publisher.warn(f"{text}.")
    try:
        folder = voice.locate() / network / "corpora"
        make_folder(folder, within=voice.folder)
        content.save(folder)
        if left := keep_only(folder, {known, content.key}):
            publisher.event(unremoved_message(left), "warning")
    except (EngineError, OSError) as error:
        publisher.event(f"a later run cannot say what changes in the corpus: {error}", "warning")
    return text
