#!/bin/sh
# MoEfication and D2DMoE on MNIST, three seeds: what can be left out of a plain net, and of a sparsified one. At most half an hour on 2 vCPUs. --quick: a check, writes nothing.
set -e
cd "$(dirname "$0")/.."
node scripts/setup.mjs
node --conditions=@frugal/source --import tsx examples/dynamic-nets/studies/claims-moefication.ts "$@"
case " $* " in *" --quick "*) ;; *) node --conditions=@frugal/source --import tsx examples/dynamic-nets/studies/report.ts ;; esac
