#!/bin/sh
# By which exponent lr-probe lowers rates for longer runs: four tasks kept for choosing, and the demo's net on validation images. At most 30 minutes on 2 vCPUs.
set -e
cd "$(dirname "$0")/.."
node scripts/setup.mjs
node --conditions=@frugal/source --import tsx examples/early-phase/studies/choose.ts "$@"
