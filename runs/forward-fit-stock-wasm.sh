#!/bin/sh
# model.fit without a backward pass on tfjs's own, unchanged wasm kernels: a conv net and an embedding model. At most 15 minutes on 2 vCPUs.
set -e
cd "$(dirname "$0")/.."
node scripts/setup.mjs
node --conditions=@frugal/source --import tsx examples/forward-vs-backprop/stock-wasm.ts "$@"
