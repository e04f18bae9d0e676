"""Trains and speaks a synthetic voice (DC-TTS); knows nothing of any screen."""

import os

FEW_CORES = 4
"""Up to so many cores of a machine, a training step takes all of them."""

# Torch's threads wait for each other asleep, unless the person wants it otherwise: where they all
# have a core each, awake they are faster by a tenth, but as soon as other programs want the cores,
# they would burn the time that the one that is waited for needs. Read when torch is imported.
if len(os.sched_getaffinity(0)) <= FEW_CORES:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
