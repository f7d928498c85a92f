#!/bin/sh
# LeNet-5 with channels and neurons cut out and its matrices made smaller, three seeds: accuracy against measured speed. Some 8 minutes on 2 vCPUs.
set -e
cd "$(dirname "$0")/.."
node scripts/setup.mjs
node --conditions=@frugal/source --import tsx examples/prune-to-a-tenth/studies/structured-lenet.ts "$@"
