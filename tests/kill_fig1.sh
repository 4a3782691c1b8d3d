#!/bin/sh
# Kills `fig1 --set matrix.seed.count=4` at 20 random moments between its first and its last commit, runs it again each
# time, and compares the published folder with that of an undisturbed run, byte by byte. Takes some minutes.
#
#   tests/kill_fig1.sh [MOMENTS]
set -eu
cd "$(dirname "$0")/.."
root=$PWD
moments=${1:-20}
cargo build --quiet
ojaflow=$root/target/debug/ojaflow
export OJAFLOW_DATA="$root/data" OJAFLOW_PIPELINES="$root/pipelines"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

run() { "$ojaflow" pipeline fig1 --set matrix.seed.count=4 --as fig1; }
committed() { find outputs/.store/v1/results -name commit.json 2>/dev/null | wc -l; }

mkdir "$work/undisturbed"
cd "$work/undisturbed"
run >/dev/null 2>&1
total=$(committed)
echo "undisturbed: $total results"

moment=0
while [ "$moment" -lt "$moments" ]; do
    moment=$((moment + 1))
    rm -rf "$work/killed"
    mkdir "$work/killed"
    cd "$work/killed"
    # Spread over the run by a fixed sequence: after so many results, and so many milliseconds later.
    after=$(awk -v seed="$moment" -v n="$((total - 1))" 'BEGIN { srand(seed); rand(); print 1 + int(rand() * n) }')
    later=$(awk -v seed="$moment" 'BEGIN { srand(seed + 1000); rand(); printf "%.3f", rand() * 0.2 }')
    run >/dev/null 2>&1 &
    pid=$!
    while [ "$(committed)" -lt "$after" ] && kill -0 "$pid" 2>/dev/null; do sleep 0.01; done
    sleep "$later"
    kill -9 "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    found=$(committed)
    summary=$(run 2>/dev/null | tail -n 1)
    diff -r outputs/fig1 "$work/undisturbed/outputs/fig1" >/dev/null || { echo "moment $moment: outputs differ"; exit 1; }
    "$ojaflow" store verify >/dev/null || { echo "moment $moment: the store is damaged"; exit 1; }
    echo "moment $moment: $found of $total results found done; then $summary; outputs equal"
done
