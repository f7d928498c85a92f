#!/bin/sh
# Cuts the LeNet that runs/early-exit-checkpoint.sh trained, and writes benchmarks/checkpoints/lenet.cut.safetensors for `npm run bench -- compaction`.
# About 10 minutes on 2 vCPUs. --quick: a few steps, writes nothing; --one-thread: less processor time on a busy machine.
set -e
cd "$(dirname "$0")/.."
node scripts/setup.mjs
node --conditions=@frugal/source --import tsx benchmarks/studies/compaction-checkpoint.ts "$@"
