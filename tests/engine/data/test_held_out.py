from collections import Counter
from random import Random

from hypothesis import example, given
from hypothesis import strategies as st

from engine.data.held_out import ClipLength, choose_held_out

lengths = st.builds(ClipLength, st.floats(0.1, 12), st.integers(1, 180))
corpora = st.dictionaries(st.text(min_size=1, max_size=6), lengths, min_size=1, max_size=120)


def prompts(count: int) -> dict[str, ClipLength]:
    """Clips of 0.5 to 10 s, with fifteen characters a second."""
    seconds = Random(1).choices(range(5, 100), k=count)
    return {f"clip-{i}": ClipLength(one / 10, one * 3 // 2) for i, one in enumerate(seconds)}


def suits(clip: ClipLength) -> bool:
    return 2 <= clip.seconds < 6 and clip.characters >= 20


@given(corpora, st.randoms(use_true_random=False))
@example({"a": ClipLength(1, 5), "b": ClipLength(1, 5)}, Random(1))
def test_suitable_clips_come_first_in_any_order(clips, random):
    chosen = choose_held_out(clips)
    assert len(chosen) == max(1, min(8, len(clips) // 10))
    suitable = {clip_id for clip_id, length in clips.items() if suits(length)}
    assert chosen <= suitable or suitable <= chosen
    shuffled = list(clips)
    random.shuffle(shuffled)
    assert choose_held_out({clip_id: clips[clip_id] for clip_id in shuffled}) == chosen


@given(corpora, st.text(min_size=1, max_size=6), lengths)
def test_another_clip_changes_at_most_two(clips, clip_id, length):
    without = {other: one for other, one in clips.items() if other != clip_id} or clips
    before, after = choose_held_out(without), choose_held_out({**without, clip_id: length})
    assert len(before - after) <= 1
    assert len(after - before) <= 2


def test_held_out_clips_are_spread_over_length():
    clips = prompts(400)
    chosen = [clips[clip_id] for clip_id in choose_held_out(clips)]
    assert Counter(int(clip.seconds) for clip in chosen) == {2: 2, 3: 2, 4: 2, 5: 2}
    [only] = [clips[clip_id] for clip_id in choose_held_out(prompts(19))]
    assert int(only.seconds) in (3, 4)


def test_the_nearest_clips_fill_up():
    words = {f"word-{i}": ClipLength(0.5 + i / 1000, 8) for i in range(90)}
    better = {"sentence": ClipLength(4, 50), "terse": ClipLength(3, 18), "long": ClipLength(7, 90)}
    chosen = choose_held_out({**words, **better})
    assert better.keys() <= chosen
    assert len(chosen) == 8
