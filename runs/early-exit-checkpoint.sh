#!/bin/sh
# Trains the networks of `npm run bench -- early-exit` and writes benchmarks/checkpoints/lenet*.safetensors.
# About 20 minutes on 2 vCPUs. --quick: a few steps, writes nothing; --one-thread: less processor time on a busy machine.
set -e
cd "$(dirname "$0")/.."
node scripts/setup.mjs
node --conditions=@frugal/source --import tsx benchmarks/studies/early-exit-checkpoint.ts "$@"
