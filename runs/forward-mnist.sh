#!/bin/sh
# Forward-only methods on all of MNIST, three seeds, beside backprop and the frozen control. At most an hour on 2 vCPUs.
set -e
cd "$(dirname "$0")/.."
node scripts/setup.mjs
node --conditions=@frugal/source --import tsx examples/forward-vs-backprop/study.ts "$@"
