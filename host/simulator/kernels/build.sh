#!/bin/sh
# Compiles kernels.wasm from the C files here and records compiler and hash in VERSION.json.
# Needs clang 14 or later with lld (Debian: clang lld). The output is the same on every machine with the same clang.
set -eu
cd "$(dirname "$0")"
clang --target=wasm32 -std=c99 -O3 -msimd128 -mbulk-memory -ffreestanding -nostdlib -Wall -Wextra -Werror \
  -Wl,--no-entry -Wl,--strip-all -Wl,--export=__heap_base \
  -Wl,--export=k210sim_plan_bytes -Wl,--export=k210sim_run_fast -Wl,--export=k210sim_run_exact \
  -o kernels.wasm layer.c unpack.c convolve.c activate.c pool.c exact.c
printf '{\n  "compiler": "%s",\n  "sha256": "%s"\n}\n' \
  "$(clang --version | head -n 1)" "$(sha256sum kernels.wasm | cut -d ' ' -f 1)" > VERSION.json
cat VERSION.json
