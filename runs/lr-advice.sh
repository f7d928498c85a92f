#!/bin/sh
# The advice of lr-probe against a grid of 13 rates: seven tasks × SGD, momentum, AdamW × 5 seeds, and LeNet. At most 90 minutes on 2 vCPUs.
set -e
cd "$(dirname "$0")/.."
node scripts/setup.mjs
node --conditions=@frugal/source --import tsx examples/early-phase/study.ts "$@"
case " $* " in *" --quick "*) ;; *) node --conditions=@frugal/source --import tsx examples/early-phase/studies/draw.ts ;; esac
