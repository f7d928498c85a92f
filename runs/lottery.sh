#!/bin/sh
# Lottery tickets of LeNet-300-100 at 51 to 3.5 % of the weights against their controls, three seeds. At most half an hour on 2 vCPUs.
set -e
cd "$(dirname "$0")/.."
node scripts/setup.mjs
node --conditions=@frugal/source --import tsx examples/prune-to-a-tenth/studies/lottery.ts "$@"
