#!/bin/sh
# BranchyNet's claim about MNIST, LeNet-5, three seeds. About 8 minutes on 2 vCPUs. --quick: a check, writes nothing.
set -e
cd "$(dirname "$0")/.."
node scripts/setup.mjs
node --conditions=@frugal/source --import tsx benchmarks/studies/claims-branchynet.ts "$@"
case " $* " in *" --quick "*) ;; *) node --conditions=@frugal/source --import tsx examples/dynamic-nets/studies/report.ts ;; esac
