"""Plays one sound file on this host, or says why it cannot: a small program run as a child.

Sound libraries can hang when they are imported and take the process with them when they crash,
so they are never loaded beside a training run. What is wrong goes to stderr in one line; the exit
code is 0 if the file was played to its end (without a file: if one could be).
"""

import sys

NO_LIBRARY = "libportaudio2 is not installed: apt install libportaudio2"
NO_DEVICE = "no sound device on this host"


def main(arguments: list[str]) -> int:
    """Play the file named by the only argument; without one, only check for a device."""
    try:
        import sounddevice
    except OSError:
        return _cannot(NO_LIBRARY)
    try:
        if not any(device["max_output_channels"] for device in sounddevice.query_devices()):
            return _cannot(NO_DEVICE)
        if arguments:
            _play(arguments[0])
    except sounddevice.PortAudioError as error:
        return _cannot(f"the sound device refused: {error}")
    except OSError as error:
        return _cannot(str(error))
    return 0


def _play(path: str) -> None:
    import sounddevice
    import soundfile

    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise OSError(f"cannot read {path}: {error}") from error
    sounddevice.play(samples, rate, blocking=True)


def _cannot(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
