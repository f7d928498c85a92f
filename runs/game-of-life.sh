#!/bin/sh
# How often small nets learn the Game of Life, 64 of each size in one batch, with Wilson intervals. At most half an hour on 2 vCPUs.
set -e
cd "$(dirname "$0")/.."
node scripts/setup.mjs
node --conditions=@frugal/source --import tsx examples/game-of-life/study.ts "$@"
case " $* " in *" --quick "*) ;; *) node --conditions=@frugal/source --import tsx examples/game-of-life/studies/draw.ts ;; esac
