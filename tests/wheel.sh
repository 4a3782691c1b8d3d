#!/usr/bin/env bash
# The Python package as people get it: wheels are built, installed into a new environment, and tested from an empty folder, with
# no checkout but the tests and notebooks themselves.
#
#   tests/wheel.sh                  the wheel that is handed out, which compiles the release profile
#   tests/wheel.sh --profile dev    a wheel of the program that `cargo test` has built: the same packing, in a minute
#   tests/wheel.sh --wheels DIR     wheels that are there
#
# PYTHON names another interpreter than python3.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

case ${1:-} in
  --wheels) wheels=$2 ;;
  *)
    wheels=target/wheels
    python/build_wheels.sh --out "$wheels" "$@"
    ;;
esac
wheels=$(cd "$wheels" && pwd)

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"${PYTHON:-python3}" -m venv "$scratch/environment"
python=$scratch/environment/bin/python
# The extras as a user asks for them, in the versions that the other tests have.
program=$(echo "$wheels"/ojaflow-*_"$(uname -m)".whl)
"$python" -m pip install --quiet --disable-pip-version-check --only-binary :all: -c tests/reference/requirements.txt \
  "$wheels"/ojaflow_data-*.whl "ojaflow[all] @ file://$program" pytest nbclient ipykernel mypy

# Nothing of this machine helps: neither a program on the PATH nor folders that the environment names.
unset OJAFLOW_PROGRAM OJAFLOW_DATA OJAFLOW_PIPELINES OJAFLOW_OUTPUTS PYTHONPATH
export XDG_DATA_HOME=$scratch/none PYTHONDONTWRITEBYTECODE=1
mkdir "$scratch/empty"
cd "$scratch/empty"
"$python" -c "
import pathlib, sys, ojaflow
assert ojaflow.program() == pathlib.Path(sys.prefix, 'bin', 'ojaflow'), ojaflow.program()
assert pathlib.Path(sys.prefix) in pathlib.Path(ojaflow.__file__).parents, ojaflow.__file__
assert ojaflow.__version__ == sys.argv[1], (ojaflow.__version__, sys.argv[1])
" "$("$scratch/environment/bin/ojaflow" --version | cut -d ' ' -f 2)"
"$python" -m pytest -p no:cacheprovider -q --tb=short --durations=5 --basetemp "$scratch/tests" "$root/python/tests"
