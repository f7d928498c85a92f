#!/bin/sh
# Zeros after the ReLUs of a small vit while it learns MNIST, three seeds: a cosine, a constant rate, a penalty of activity. Some 10 minutes on 2 vCPUs.
set -e
cd "$(dirname "$0")/.."
node scripts/setup.mjs
node --conditions=@frugal/source --import tsx examples/dynamic-nets/studies/vit-zeros.ts "$@"
