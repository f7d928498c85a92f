#!/bin/sh
# Conformance and speed on a graphics card elsewhere: packs everything into one archive (no network and no install there),
# runs it and brings benchmarks/results/gpu-CARD.json back. x64 Linux with an NVIDIA driver on the other side.
#   sh runs/gpu-card.sh pack ARCHIVE.tar.gz       only packs; there: tar xzf ARCHIVE.tar.gz && sh frugal-gpu-card/run.sh
#   sh runs/gpu-card.sh ssh USER@HOST             packs, copies, runs, brings the figures back
#   sh runs/gpu-card.sh here                      the same on this machine, in an empty folder and an empty environment
# Options behind: --allow-cpu (an emulated card will do: the proof of the archive, no result is kept), --quick (small nets, no result).
set -e
cd "$(dirname "$0")/.."
where=${1:-here}
[ $# -gt 0 ] && shift
node scripts/setup.mjs
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
archive="$folder/gpu-card.tar.gz"
target=
if [ "$where" = pack ] || [ "$where" = ssh ]; then
  target=$1
  shift
fi
node --conditions=@frugal/source --import tsx benchmarks/studies/gpu-card-pack.ts "$archive"

status=0
case $where in
  pack) mv "$archive" "$target"; exit 0 ;;
  ssh)
    there=$(ssh "$target" mktemp -d)
    scp -q "$archive" "$target:$there/gpu-card.tar.gz"
    ssh "$target" "cd $there && tar xzf gpu-card.tar.gz && sh frugal-gpu-card/run.sh $*" || status=$?
    scp -q "$target:$there/frugal-gpu-card/benchmarks/results/*.json" "$folder" || true
    ssh "$target" rm -r "$there"
    ;;
  here)
    mkdir "$folder/empty"
    tar xzf "$archive" -C "$folder/empty"
    (cd "$folder/empty" && env -i PATH=/usr/bin:/bin HOME="$folder/empty" sh frugal-gpu-card/run.sh "$@") || status=$?
    cp "$folder"/empty/frugal-gpu-card/benchmarks/results/*.json "$folder" 2> /dev/null || true
    ;;
  *) echo "pack, ssh or here, not '$where'." >&2; exit 2 ;;
esac

case " $* " in
  *" --allow-cpu "*) echo "Proven without a card: no result is kept." ;;
  *) cp "$folder"/gpu-*.json benchmarks/results/ 2> /dev/null && ls benchmarks/results/gpu-*.json || echo "No result." ;;
esac
exit "$status"
