#!/usr/bin/env bash
# The wheels of `pip install ojaflow` and `pip install ojaflow-data`: the program with its Python package, one wheel for every
# Python, and the data sets.
#
#   python/build_wheels.sh                     for this processor, into target/wheels
#   python/build_wheels.sh x86_64 aarch64      for both; needs `rustup target add aarch64-unknown-linux-gnu`
#   python/build_wheels.sh --profile dev       from what `cargo test` has built, for this machine alone: seconds, not minutes
#
# The profile is that of `cargo install`. Zig links, against the symbols of glibc 2.17, so that the wheel runs on every Linux
# since 2014 wherever it is built. Linux only: elsewhere `pip install ./python` builds from the checkout (untested).
set -euo pipefail
cd "$(dirname "$0")/.."

out=target/wheels profile=release glibc=2_17
processors=()
while [ $# -gt 0 ]; do
  case $1 in
    --profile) profile=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    -*) echo "unknown option $1; the first lines of $0 say what there is" >&2; exit 2 ;;
    *) processors+=("$1"); shift ;;
  esac
done
[ ${#processors[@]} -gt 0 ] || processors=("$(uname -m)")
mkdir -p "$out"
out=$(cd "$out" && pwd)

# An environment for the tools alone, made anew when their versions change.
tools=$PWD/target/tmp/wheel-tools
if ! cmp -s python/build-requirements.txt "$tools/installed-requirements.txt"; then
  rm -rf "$tools"
  python3 -m venv "$tools"
  "$tools/bin/pip" install --quiet --disable-pip-version-check -r python/build-requirements.txt
  cp python/build-requirements.txt "$tools/installed-requirements.txt"
fi
export PATH=$tools/bin:$PATH

rm -f "$out"/ojaflow-*.whl "$out"/ojaflow_data-*.whl
pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir "$out" python/data
for processor in "${processors[@]}"; do
  # Where the program is: a manifest in another folder than the package's settings has to be named from here.
  case $profile in
    dev) (cd python && maturin build --profile dev --locked --compatibility linux --out "$out") ;;
    *)
      target=$processor-unknown-linux-gnu
      (cd python && maturin build --profile "$profile" --locked --zig --compatibility "manylinux_$glibc" --target "$target" --out "$out")
      wheel=("$out"/ojaflow-*_"$processor".whl)
      said=$(auditwheel show "${wheel[0]}" | tr '\n' ' ')
      case $said in
        *"following platform tag: \"manylinux_${glibc}_$processor\""*) ;;
        *) echo "${wheel[0]} needs more than manylinux_$glibc: $said" >&2; exit 1 ;;
      esac
      ;;
  esac
done

for wheel in "$out"/*.whl; do
  size=$(stat -c %s "$wheel")
  echo "$(basename "$wheel")  $((size / 1000000)) MB"
  # What people are asked to fetch, and what package indices take without a word.
  if [ "$profile" != dev ] && [ "$size" -gt 60000000 ]; then
    echo "more than 60 MB" >&2
    exit 1
  fi
done
