#!/bin/sh
# All suites in full, without budgets: every random shape, 200 kills, 10,000 leak steps. Hours.
set -e
cd "$(dirname "$0")/.."
node scripts/setup.mjs
node --import tsx scripts/test.mjs --deep "$@"
