"""The page's server in this process, with a run that stands still until the test moves it."""

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import uvicorn
from fake_session import NOON, FakeSession, diagonal, training
from paths import SPEECH

from engine.data.audio import load_recording
from engine.run.commands import Command
from engine.run.sample import KeptCheckpoint, Sample, Speaking
from engine.run.snapshot import Phase
from engine.speech.attention_file import write_attention
from engine.speech.growing import GrowingWav, write_wav
from tui.page.app import PageApp
from tui.page.events import Events
from tui.page.security import Guard
from tui.page.server import open_port

RATE = 22_050
TOKEN = "f" * 32
FIRST, SECOND = "Two birds sat on the old wall.", "It is good to talk."
SPEECHES = [load_recording(path, RATE) for path in sorted((SPEECH / "wavs").glob("*.flac"))]


def spoken(seconds: float, speech: int = 0, gain: float = 1.0) -> np.ndarray:
    """Real speech of a length."""
    return (gain * np.resize(SPEECHES[speech], round(seconds * RATE))).astype(np.float32)


class ServedPage:
    """Serves the page on a free port of 127.0.0.1, for a voice with samples of two sentences."""

    def __init__(self, voice: Path) -> None:
        self._folder = voice
        self.session = FakeSession(
            training(
                voice_folder=voice,
                sentences=(FIRST, SECOND),
                checkpoints=(
                    KeptCheckpoint("text2mel", 855_000, 0.1312, base=True),
                    KeptCheckpoint("text2mel", 865_000, 0.0971, best=True),
                    KeptCheckpoint("text2mel", 870_000, 0.0984),
                    KeptCheckpoint("text2mel", 871_000, 0.0987),
                    KeptCheckpoint("ssrn", 767_000),
                ),
                samples=(),
            )
        )
        self.app = PageApp()
        self._guarded: Guard | None = None
        self.voice = self.app.voices._known(voice)
        self.voice._source = self.session  # type: ignore[assignment]
        self.port = 0
        self.start()

    def start(self) -> None:
        """Serve, on the same port when it was ended before."""
        self._bound = open_port(self.port)
        self.port = self._bound.getsockname()[1]
        config = uvicorn.Config(
            self._guard(), lifespan="off", log_config=None, access_log=False,
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        self.app.events = Events(self.app.voices.as_json, self.app.voices.marks)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _guard(self) -> Guard:
        """The same after another start: it knows the cookies."""
        if self._guarded is None:
            self._guarded = Guard(self.app.app(), TOKEN, self.port)
        return self._guarded

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/?token={TOKEN}"

    @property
    def asked(self) -> list[Command]:
        """What the page has asked the run for."""
        return self.session.sent

    def change(self, **fields: object) -> None:
        """Have the run show something else."""
        self.session.change(**fields)
        self.app.events.notice()

    @property
    def listeners(self) -> int:
        """How many tabs have their sound on."""
        return len(self.app.events._sounds)

    def play_in_tab(self, path: Path) -> None:
        """Ask for a sound as a terminal does."""
        sound = {"voice": str(self._folder), "path": str(path), "title": path.name}
        answer = httpx.post(
            f"http://127.0.0.1:{self.port}/play",
            json=sound,
            headers={"Authorization": f"Bearer {TOKEN}"},
        )
        assert answer.json() == {"listeners": 1}

    def fail(self, sentence: str) -> None:
        """Have the run end by a fault."""
        self.change(phase=Phase.FAILED, failure=sentence)

    def end(self) -> None:
        self.app.events.close()
        self._server.should_exit = True
        self._thread.join()
        self._bound.close()

    def _serve(self) -> None:
        async def serve() -> None:
            telling = asyncio.create_task(self.app.events.run())
            await self._server.serve([self._bound])
            telling.cancel()

        asyncio.run(serve())

    def path(self, step: int, sentence: str = FIRST) -> Path:
        folder = self._folder / "samples"
        folder.mkdir(exist_ok=True)
        return folder / f"text2mel-{step}_ssrn-767000_{sentence[:9].lower().replace(' ', '-')}.wav"

    def add(self, step: int, waveform: np.ndarray, sentence: str = FIRST, **fields: object) -> Path:
        """Add a sample, with an attention that reads evenly."""
        path = self.path(step, sentence)
        if not path.exists():
            write_wav(path, waveform, RATE)
        seconds, now = len(waveform) / RATE, NOON.timestamp() + step
        write_attention(path.with_suffix(".png"), diagonal(len(sentence), round(20 * seconds)))
        sample = Sample(step, sentence, path, seconds, "", ssrn_step=767_000, time=now)
        samples = self.session.current.samples
        self.change(samples=(*samples, replace(sample, **fields)), speaking=None)
        return path

    def begin(self, step: int, sentence: str = FIRST, automatic: bool = False) -> "Growing":
        """Begin a sample that grows as the test says."""
        return Growing(self, step, sentence, automatic)


class Growing:
    """A sample that is being made."""

    def __init__(self, page: ServedPage, step: int, sentence: str, automatic: bool) -> None:
        self._page, self._step, self._sentence = page, step, sentence
        self._automatic = automatic
        self.path = page.path(step, sentence)
        self._file = GrowingWav(self.path, RATE)
        self._parts: list[np.ndarray] = []

    def write(self, waveform: np.ndarray) -> None:
        self._file.write(waveform)
        self._parts.append(waveform)
        speaking = Speaking(self._step, self._sentence, self.path, self._automatic)
        self._page.change(speaking=speaking)

    def finish(self) -> Path:
        self._file.finish()
        whole = np.concatenate(self._parts)
        return self._page.add(self._step, whole, self._sentence, automatic=self._automatic)
