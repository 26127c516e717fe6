#!/usr/bin/env bash
# Prints the build id of the shim: version of package.json + first 12 digits of the SHA-256 over its sources.
# Depends on nothing else, so that the same sources give the same module anywhere.
set -euo pipefail
cd "$(dirname "$0")"
version="$(sed -n 's/^  "version": "\(.*\)",$/\1/p' ../package.json)"
files() { ls src/*.[ch] include/k210b/*.h generated/k210b_protocol.[ch] ports/wasm/*.c | LC_ALL=C sort; }
hash="$(files | xargs cat | sha256sum | cut -c1-12)"
echo "$version+$hash"
