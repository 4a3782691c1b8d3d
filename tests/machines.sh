#!/usr/bin/env bash
# Two workers on machines of their own, a collection on a third, and one store on a file server between them: network namespaces
# that see each other only through a bridge, and a folder that each mounts by sshfs. Over it nobody sees the locks of the others.
# The network of one fails for a while, that of the other for good; what is published in the end has to be what one process
# publishes, byte for byte. From the project's root, with the program of the dev profile or the one in $OJAFLOW:
#
#     tests/machines.sh
#
# Installs sshfs, socat and an SFTP server, on Debian and its like, as root. Where namespaces or FUSE cannot be had, it is skipped
# by name, and the last line counts. A minute.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
home=$root/target/tmp/machines
export OJAFLOW=${OJAFLOW:-$root/target/debug/ojaflow}
OJAFLOW=$(realpath "$OJAFLOW")
published_as=machines
request=(smoke --as machines --set matrix.seed.count=12 --set stages.train.samples=4000)
skipped=()
# shellcheck source=tests/engines/common.sh
. tests/engines/common.sh

sftp_server=/usr/lib/openssh/sftp-server
address=10.97.0
has_what_it_needs() { command -v ip sshfs socat fusermount3 nsenter >/dev/null && [ -x $sftp_server ]; }
can_be_tried() {
  [ "$(id -u)" -eq 0 ] || return 1
  has_what_it_needs || packages sshfs fuse3 socat openssh-sftp-server iproute2 || return 1
  has_what_it_needs && [ -c /dev/fuse ] && unshare --net true 2>/dev/null && ip netns add "$space-try" 2>/dev/null &&
    ip netns del "$space-try"
}

# ---------------------------------------------------------------------------------------------------- machines and network

space=ojaflow$$
machines=(a b c)
started=()
worker=()
# Mounts stay visible to all: it is the network that is apart.
on() { nsenter --net="/run/netns/$space-$1" env OJAFLOW_HOST="machine $1" "${@:2}"; }
background() {
  "$@" >>"$home/daemons.log" 2>&1 &
  started+=($!)
}
stop() {
  local status=$? one
  set +e
  [ "$status" -eq 0 ] || tail -n 25 "$home"/*.log 2>/dev/null
  for one in ${started[@]+"${started[@]}"}; do { kill -9 "$one" && wait "$one"; } 2>/dev/null; done
  for one in "${machines[@]}"; do fusermount3 -uz "$rig/$one" 2>/dev/null; done
  for one in server "${machines[@]}"; do ip netns del "$space-$one" 2>/dev/null; done
  { wait; } 2>/dev/null
  rm -rf "$rig"
}

connect() {
  local one number=2
  ip netns add "$space-server"
  ip -n "$space-server" link add bridge type bridge
  ip -n "$space-server" addr add $address.1/24 dev bridge
  ip -n "$space-server" link set bridge up
  for one in "${machines[@]}"; do
    ip netns add "$space-$one"
    ip -n "$space-server" link add "to-$one" type veth peer name eth0 netns "$space-$one"
    ip -n "$space-server" link set "to-$one" master bridge up
    ip -n "$space-$one" addr add $address.$number/24 dev eth0
    ip -n "$space-$one" link set eth0 up
    number=$((number + 1))
  done
  background on server socat TCP-LISTEN:7022,bind=$address.1,fork,reuseaddr EXEC:$sftp_server
  until_it_is 10 on a socat /dev/null TCP:$address.1:7022 2>>"$home/daemons.log"
}
# $home/several/outputs as this machine has it.
mount_on() {
  mkdir -p "$rig/$1"
  # What a file server's client remembers is seconds old.
  on "$1" sshfs -o directport=7022,attr_timeout=1,entry_timeout=1 "$address.1:$home/several/outputs" "$rig/$1"
}
network() { ip -n "$space-server" link set "to-$1" "$2"; }

# ---------------------------------------------------------------------------------------------------- what happens

rig=$(mktemp -d)
mkdir -p "$home"
: >"$home/daemons.log"
trap stop EXIT
trap 'exit 130' INT TERM
step "packages"
if can_be_tried; then
  step "one process"
  project local
  "$OJAFLOW" pipeline "${request[@]}" --quiet

  step "three machines, one file server"
  project several
  mkdir outputs
  connect
  for one in "${machines[@]}"; do mount_on "$one"; done
  touch "$rig/a/lock"
  (cd "$rig/a" && flock lock sleep 2) &
  sleep 0.5
  (cd "$rig/b" && flock -n lock true) || fail "locks are seen from one machine to the other: this tests nothing"
  wait $!
  rm "$rig/a/lock"

  for one in a b; do
    share=$([ $one = a ] && echo 1 || echo 2)
    on $one "$OJAFLOW" work "${request[@]}" --shard "$share/2" --jobs 1 --outputs "$rig/$one" >"$home/worker-$one.log" 2>&1 &
    worker[$share]=$!
  done
  until_it_is 60 some_results
  network a down
  echo "the network of a is down"
  network b down
  { kill -9 "${worker[2]}" && wait "${worker[2]}"; } 2>/dev/null || true
  echo "b is gone for good"
  collected=$(on c "$OJAFLOW" store gc --unfinished --outputs "$rig/c" 2>&1)
  [[ $collected == 0\ results* ]] || fail "a collection takes from those whose heartbeat is fresh: $collected"
  echo "a collection on c: $collected"
  network a up
  echo "the network of a is back"
  wait "${worker[1]}" || fail "the worker on a: $(cat "$home/worker-a.log")"
  tail -n 2 "$home/worker-a.log"
  on c "$OJAFLOW" pipeline "${request[@]}" --outputs "$rig/c" --quiet
  same several
else
  skipped+=("machines of their own")
fi
count_skipped
