#!/bin/sh
# Adaptive Computation Modules on MNIST, three seeds: which of the losses keep the gates from collapsing. At most half an hour on 2 vCPUs.
set -e
cd "$(dirname "$0")/.."
node scripts/setup.mjs
node --conditions=@frugal/source --import tsx examples/dynamic-nets/studies/claims-acm.ts "$@"
case " $* " in *" --quick "*) ;; *) node --conditions=@frugal/source --import tsx examples/dynamic-nets/studies/report.ts ;; esac
