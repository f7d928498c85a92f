#!/bin/sh
# Joint, disjoint and mixed training of exits, LeNet-5, three seeds; risk control and budgets. About 10 minutes on 2 vCPUs. --quick: a check, writes nothing.
set -e
cd "$(dirname "$0")/.."
node scripts/setup.mjs
node --conditions=@frugal/source --import tsx benchmarks/studies/claims-regimes.ts "$@"
case " $* " in *" --quick "*) ;; *) node --conditions=@frugal/source --import tsx examples/dynamic-nets/studies/report.ts ;; esac
