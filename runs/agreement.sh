#!/bin/sh
# Do exits, dynamic-k experts and boosted tokens find the same images hard? A vit on MNIST, three seeds, at the same mean FLOPs. At most an hour on 2 vCPUs.
set -e
cd "$(dirname "$0")/.."
node scripts/setup.mjs
node --conditions=@frugal/source --import tsx examples/dynamic-nets/studies/agreement.ts "$@"
