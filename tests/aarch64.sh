#!/usr/bin/env bash
# The mathematics on 64-bit ARM, under emulation: all its tests, NEON among the backends that have to agree, and trainings
# that must end with the bits that they end with here. Two to three minutes on two cores, most of it compiling. Installs what
# it needs where it can (as root, on Debian and its like); where it cannot be had, the first line says so and nothing fails.
set -euo pipefail
cd "$(dirname "$0")/.."

target=aarch64-unknown-linux-gnu
sysroot=/usr/aarch64-linux-gnu
linker=aarch64-linux-gnu-gcc
emulator=qemu-aarch64-static

leave() {
  echo "64-bit ARM not checked: $1"
  exit 0
}

if [ "$(uname -m)" = aarch64 ]; then
  # NEON is at home here, and `cargo test` has checked it.
  leave "this is such a processor, no emulation is needed"
fi
if ! command -v "$linker" >/dev/null || ! command -v "$emulator" >/dev/null || [ ! -e "$sysroot/lib/libc.so.6" ]; then
  packages="qemu-user-static gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
  # shellcheck disable=SC2086
  { apt-get install -y $packages || { apt-get update && apt-get install -y $packages; }; } >/dev/null 2>&1 ||
    leave "there is no $linker or no $emulator, and they cannot be installed ($packages)"
fi
if ! rustup target list --installed 2>/dev/null | grep -qx "$target"; then
  rustup target add "$target" >/dev/null 2>&1 || leave "the Rust target $target cannot be had"
fi

prefix="digest of trainings: "
here=$(cargo test -q -p ojaflow-mathematics --lib -- --nocapture the_same_bits_everywhere | grep -o "$prefix[0-9a-f]*")
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=$linker
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="$emulator -L $sysroot"
export OJAFLOW_DIGEST_OF_TRAININGS=${here#"$prefix"}
cargo test -p ojaflow-mathematics --lib --target "$target"
