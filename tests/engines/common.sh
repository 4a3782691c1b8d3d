# What the tests of several processes on several machines share; `root`, `home`, `request`,
# `published_as` and `OJAFLOW` are set.

step() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }
fail() {
  printf 'failed: %s\n' "$1"
  exit 1
}

# A project of its own, with results from nobody.
project() {
  rm -rf "${home:?}/$1"
  mkdir -p "$home/$1"
  ln -s "$root/data" "$root/pipelines" "$home/$1/"
  cd "$home/$1"
}

# What an engine made is what one process made.
same() {
  python3 - "$home/local" "$home/$1" "$published_as" <<'PYTHON'
import json, sys
def digests(folder):
    manifest = json.load(open(f"{folder}/outputs/{sys.argv[3]}/manifest.json"))
    return {table["name"]: table["digest"] for table in manifest["tables"]}
local, other = map(digests, sys.argv[1:3])
assert local and local == other, f"different: {sorted(name for name in local if local[name] != other.get(name))}"
print(f"{len(local)} tables with the same digests")
PYTHON
  "$OJAFLOW" store verify >/dev/null || fail "the store of $1 is not sound"
}

# Waits until a command succeeds, for so many seconds.
until_it_is() {
  local seconds=$1 since=$SECONDS
  shift
  until "$@"; do
    [ $((SECONDS - since)) -lt "$seconds" ] || fail "after $seconds s: $*"
    sleep 0.2
  done
}
some_results() { [ "$("$OJAFLOW" status "${request[@]}" --json | sed -n 's/.*"done": \([0-9]*\).*/\1/p')" -ge 5 ]; }

# Installs Debian's packages of these names.
packages() {
  export DEBIAN_FRONTEND=noninteractive
  { apt-get install -y --no-install-recommends "$@" ||
    { apt-get update && apt-get install -y --no-install-recommends "$@"; }; } >/dev/null 2>&1
}

# The last line says what could not be tried.
count_skipped() {
  step "done"
  echo "${#skipped[@]} skipped$([ ${#skipped[@]} -eq 0 ] || printf ', %s' "${skipped[@]}" | sed 's/^,/:/')"
}
