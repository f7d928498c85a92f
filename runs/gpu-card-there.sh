#!/bin/sh
# The other side of gpu-card.sh: it travels as run.sh. x64 Linux with glibc 2.34; no network, nothing to install.
# --allow-cpu: an emulated card will do (a proof of the archive); --quick: small nets, no result file.
set -e
here=$(cd "$(dirname "$0")" && pwd)
program="$here/benchmarks/gpu-card.mjs"

# NVIDIA's driver names its Vulkan part in a manifest, which containers often lack, or which wants X11 on machines without.
manifest() {
  printf '{"file_format_version":"1.0.0","ICD":{"library_path":"%s","api_version":"1.3.0"}}\n' "$1" > "$here/nvidia_icd.json"
  VK_DRIVER_FILES="$here/nvidia_icd.json"
  export VK_DRIVER_FILES
}
find_card() {
  if "$here/node" "$program" --find "$@"; then return; fi
  for library in libGLX_nvidia.so.0 libEGL_nvidia.so.0; do
    manifest "$library"
    echo "Trying $library."
    if "$here/node" "$program" --find "$@"; then return; fi
  done
  unset VK_DRIVER_FILES
  echo "No card. nvidia-smi says:" >&2
  nvidia-smi -L >&2 || true
  exit 1
}

find_card "$@"
status=0
"$here/node" "$program" "$@" || status=$?
ls "$here"/benchmarks/results/*.json 2> /dev/null || true
exit "$status"
