#!/usr/bin/env bash
# All checks on a GPU, in less than eight minutes, on a bare machine with NVIDIA's driver and
# Python 3.11 or later: tests/gpu/run.sh [WHEELS [OUT]]
#
# WHEELS is a folder of wheels to carry along where there is no network, from a machine like it:
# `pip download -d WHEELS . 'pytest>=8.4'`. A torch that is installed already need not be in it.
# OUT gets the log, the results and the benchmark; without it they go to a new folder.
set -euo pipefail

repository=$(cd "$(dirname "$0")/../.." && pwd)
wheels=${1:-}
out=${2:-$(mktemp -d)}
python=${PYTHON:-python3}
site=$(mktemp -d)
work=$(mktemp -d)
mkdir -p "$out"
out=$(cd "$out" && pwd)

if [ -n "$wheels" ]; then
  # Without their needs: they are all there, or installed.
  "$python" -m pip install -q --no-index --no-deps --no-compile --no-cache-dir \
    --disable-pip-version-check --target "$site" "$wheels"/*.whl
fi
export PYTHONPATH="$repository:$site${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
nvidia-smi || true
"$python" -c 'import torch; print("torch", torch.__version__, "CUDA", torch.version.cuda)
assert torch.cuda.is_available(), "torch sees no GPU"
print(torch.cuda.get_device_name(0), torch.cuda.get_device_capability(0))'

status=0
cd "$repository"
timeout -k 10 330 "$python" -m pytest tests/gpu tests/engine/machine/test_device.py -m "not slow" \
  -q -ra --durations=10 -p no:cacheprovider -p no:xdist --junitxml "$out/results.xml" 2>&1 |
  tee "$out/log" || status=$?
# Checkpoints are written below the current folder.
cd "$work"
timeout -k 10 110 "$python" -m tui bench --quick --json --device cuda:0 >"$out/bench.json" || status=$?
cat "$out/bench.json"
rm -rf "$site" "$work"
echo "results: $out"
exit "$status"
