#!/bin/sh
# Do exits, dynamic-k experts and boosted tokens find the same images hard? A vit on MNIST, three seeds, at the same mean FLOPs; also draws
# docs/results/agreement.svg. About 12 minutes on 2 vCPUs. --quick: a check, writes nothing.
set -e
cd "$(dirname "$0")/.."
node scripts/setup.mjs
node --conditions=@frugal/source --import tsx examples/dynamic-nets/studies/agreement.ts "$@"
