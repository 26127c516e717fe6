#!/usr/bin/env bash
# Builds the firmware's C: native test tools with gcc and sanitizers, WebAssembly modules with clang.
#   build.sh            everything whose compiler is at hand, into firmware-shim/build/
#   build.sh native     test tools only              build.sh wasm      modules only
#   build.sh --update   modules, then copies them to firmware-shim/prebuilt/ with the compiler's version
#   build.sh --check    rebuilds and compares with prebuilt/ when the recorded compiler is at hand, else says so
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p build/native prebuilt
# Test files run side by side: one build at a time.
exec 9> build/.lock
flock 9

INCLUDES=(-Iinclude -Igenerated -Istub -Iports/posix -Isrc)
# Same floats everywhere: no fused multiply-add; sqrtf as the instruction, without errno.
COMMON=(-std=c99 -O2 -Wall -Wextra -Werror -ffp-contract=off -fno-math-errno "${INCLUDES[@]}")
NATIVE=("${COMMON[@]}" -D_POSIX_C_SOURCE=200112L -g -fsanitize=address,undefined -fno-sanitize-recover=all)
WASM=("${COMMON[@]}" --target=wasm32 -nostdlib -ffreestanding -mbulk-memory -DK210B_FREESTANDING)

# The slow KPU double is no part of the core: fast code instead of sanitizers.
REFERENCE=("${COMMON[@]}" -O3)

CORE=(src/*.c generated/*.c)
STUB=(stub/stub*.c src/mem.c src/crc32.c src/sha256.c)
# Native tools: name, then its files in ports/posix.
TOOLS=(
  'k210b-run run_model.c host_files.c kpu_reference.c'
  'k210b-decode decode_boxes.c host_files.c'
  'k210b-jpeg encode_jpeg.c host_files.c'
  'k210b-image place_image.c host_files.c'
  'k210b-fuzz fuzz_model.c host_files.c kpu_reference.c'
)

# Object of a source, rebuilt when the source, any header or this script is newer.
newest_header="$(ls -t build.sh {include/k210b,generated,src,stub,ports/posix}/*.h | head -1)"
object_of() { local name="${1%.c}"; echo "build/native/${name//\//_}.o"; }
compile_native() {
  local jobs=0 source object
  for source in "$@"; do
    object="$(object_of "$source")"
    if [[ "$object" -nt "$source" && "$object" -nt "$newest_header" ]]; then continue; fi
    local flags=("${NATIVE[@]}")
    [[ "$source" != */kpu_reference.c ]] || flags=("${REFERENCE[@]}")
    gcc "${flags[@]}" -c "$source" -o "$object.new" && mv "$object.new" "$object" &
    jobs=$((jobs + 1))
    if ((jobs % 2 == 0)); then wait -n; fi
  done
  local status=0
  for job in $(jobs -p); do wait "$job" || status=1; done
  return $status
}

# any_newer TARGET FILE...: is the target absent or older than one of the files?
any_newer() {
  local target="$1" file
  shift
  for file in "$@"; do [[ "$target" -nt "$file" ]] || return 0; done
  return 1
}

build_native() {
  compile_native "${CORE[@]}"
  local objects_of_core=()
  for source in "${CORE[@]}"; do objects_of_core+=("$(object_of "$source")"); done
  if any_newer build/native/core.a "${objects_of_core[@]}"; then
    rm -f build/native/core.a
    ar rcs build/native/core.a "${objects_of_core[@]}"
  fi
  local row name sources objects source
  for row in "${TOOLS[@]}"; do
    read -r name sources <<< "$row"
    objects=()
    for source in $sources; do
      compile_native "ports/posix/$source"
      objects+=("$(object_of "ports/posix/$source")")
    done
    if any_newer "build/$name" build/native/core.a "${objects[@]}"; then
      # Moved into place whole: another test may be starting the tool just now.
      gcc -fsanitize=address,undefined "${objects[@]}" build/native/core.a -o "build/$name.new"
      mv "build/$name.new" "build/$name"
    fi
  done
}

# A module: output, optimization, linker flags up to --, sources. No function names, nothing depends on the folder.
link_wasm() {
  local out="$1" size="$2" flags=()
  shift 2
  while [[ "$1" != -- ]]; do flags+=("-Wl,$1"); shift; done
  shift
  clang "${WASM[@]}" "$size" -Wl,--no-entry -Wl,--strip-all -Wl,--stack-first "${flags[@]}" "$@" -o "build/$out"
}

build_wasm() {
  link_wasm stub.wasm -Os -z,stack-size=32768 -- stub/wasm_main.c "${STUB[@]}"
  if compgen -G 'ports/wasm/*.c' > /dev/null; then
    # 6 MiB of SRAM and 2 MiB of KPU RAM: what the chip has. The build id is a hash of the sources.
    link_wasm shim.wasm -O2 -z,stack-size=65536 --max-memory=8388608 -- "-DK210B_BUILD_ID=\"$(./build-id.sh)\"" \
      ports/wasm/*.c "${CORE[@]}"
  fi
}

clang_version() { clang --version | head -1; }
modules() { for file in build/*.wasm; do basename "$file"; done; }

write_versions() {
  {
    echo '{'
    echo "  \"clang\": \"$(clang_version)\","
    local comma=''
    for name in $(modules); do
      [[ -z "$comma" ]] || echo "$comma"
      printf '  "%s": "%s"' "$name" "$(sha256sum "prebuilt/$name" | cut -d' ' -f1)"
      comma=','
    done
    printf '\n}\n'
  } > prebuilt/VERSIONS.json
}

check_prebuilt() {
  local recorded
  recorded="$(sed -n 's/.*"clang": "\(.*\)".*/\1/p' prebuilt/VERSIONS.json)"
  if ! command -v clang > /dev/null; then
    echo "prebuilt: not compared, clang is absent (recorded: $recorded)"
    return
  fi
  build_wasm
  if [[ "$(clang_version)" != "$recorded" ]]; then
    echo "prebuilt: not compared, this is $(clang_version), recorded is $recorded; the fresh build is in build/"
    return
  fi
  for name in $(modules); do
    if ! cmp "build/$name" "prebuilt/$name"; then
      echo "prebuilt/$name differs from its sources: run build.sh --update"
      exit 1
    fi
    echo "prebuilt/$name: same bytes as a fresh build"
  done
}

case "${1:-all}" in
  native) build_native ;;
  wasm) build_wasm ;;
  all)
    if command -v gcc > /dev/null; then build_native; else echo 'native tools: skipped, gcc is absent'; fi
    if command -v clang > /dev/null; then build_wasm; else echo 'WebAssembly: skipped, clang is absent'; fi
    ;;
  --update)
    build_wasm
    for name in $(modules); do cp "build/$name" "prebuilt/$name"; done
    write_versions
    ;;
  --check) check_prebuilt ;;
  *) sed -n '2,6p' "$0"; exit 2 ;;
esac
