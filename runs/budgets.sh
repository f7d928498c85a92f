#!/bin/sh
# Do the three kinds of dynamic network cost what was asked, from 0.3 to 0.7 of the dense one? Calibrated on 10,000 real images, judged on
# 10,000 others. About 20 minutes on 2 vCPUs. --quick: a check, writes nothing.
set -e
cd "$(dirname "$0")/.."
node scripts/setup.mjs
node --conditions=@frugal/source --import tsx examples/dynamic-nets/studies/budgets.ts "$@"
case " $* " in *" --quick "*) ;; *) node --conditions=@frugal/source --import tsx examples/dynamic-nets/studies/report.ts ;; esac
