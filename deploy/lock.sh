#!/usr/bin/env bash
# Writes deploy/requirements.lock anew: every package that any install of fortnight may use, at one version.
# Packages that torch pins exactly for itself (its CUDA libraries) stay out: the CPU build needs none of them.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=(uv)
command -v uv >/dev/null || uv=(python3 -m uv)
skip=(--no-emit-package pip) # which installs the lock
for name in $("${uv[@]}" pip compile pyproject.toml --quiet --universal --python-version 3.11 --no-annotate --no-header |
    grep -oE '^(nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+|triton)'); do
  skip+=(--no-emit-package "$name")
done
echo 'hatchling
editables' | "${uv[@]}" pip compile pyproject.toml - --all-extras --universal --python-version 3.11 \
  --custom-compile-command 'bash deploy/lock.sh [--upgrade]' --no-emit-index-url "${skip[@]}" \
  --output-file deploy/requirements.lock --quiet "$@"
