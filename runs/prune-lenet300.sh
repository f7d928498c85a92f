#!/bin/sh
# LeNet-300-100 on MNIST cut to a twelfth, five seeds, with the zeros in its hidden layers. At most half an hour on 2 vCPUs.
set -e
cd "$(dirname "$0")/.."
node scripts/setup.mjs
node --conditions=@frugal/source --import tsx examples/prune-to-a-tenth/studies/prune-lenet300.ts "$@"
case " $* " in *" --quick "*) ;; *) node --conditions=@frugal/source --import tsx examples/prune-to-a-tenth/studies/draw.ts ;; esac
