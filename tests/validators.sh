#!/bin/sh
# The public validators on archives: `bagit` on the bag, `roc-validator` on the crate. From the project's root:
#
#     tests/validators.sh
#
# Installs what tests/validators/requirements.txt pins (38 packages) under target/, so it is not part of `cargo test`.
# The check itself needs no network.
set -eu
cd "$(dirname "$0")/.."
home=target/tmp/validators
wanted=tests/validators/requirements.txt
if ! cmp -s "$wanted" "$home/installed-requirements.txt"; then
    rm -rf "$home/python"
    python3 -m venv "$home/python"
    "$home/python/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r "$wanted"
    cp "$wanted" "$home/installed-requirements.txt"
fi
cargo build --quiet
export SOURCE_DATE_EPOCH=1723680000 OJAFLOW_OUTPUTS="$home/outputs"
target/debug/ojaflow pipeline smoke --quiet
target/debug/ojaflow pipeline fig4 --quiet --as fig4_small \
    --set matrix.seed.count=2 --set stages.activations.samples=1000
target/debug/ojaflow archive smoke -o "$home/smoke.tar.zst"
target/debug/ojaflow archive fig4_small --with weights,activations,images -o "$home/fig4_small.tar.zst"
exec "$home/python/bin/python" tests/validators/check.py "$home/smoke.tar.zst" "$home/fig4_small.tar.zst"
