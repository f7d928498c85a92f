#!/bin/sh
# Trains the network of `npm run bench -- speculate` and writes benchmarks/checkpoints/gpt.*.safetensors.
# About 12 minutes on 2 vCPUs. --quick: a few steps, writes nothing; --one-thread: less processor time on a busy machine.
set -e
cd "$(dirname "$0")/.."
node scripts/setup.mjs
node --conditions=@frugal/source --import tsx benchmarks/studies/speculate-checkpoint.ts "$@"
