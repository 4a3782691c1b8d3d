#!/usr/bin/env bash
# What `ojaflow export` writes, on the engines that it is for: Slurm (a controller and two nodes on the loopback), HyperQueue
# and Snakemake with its Slurm plugin, all on this machine. Each file is submitted as it was written, with a node or a worker
# killed in the middle, and what is published in the end has to be what one process publishes, byte for byte. From the project's
# root, with the program of the dev profile or the one in $OJAFLOW:
#
#     tests/engines.sh
#
# Installs what it needs: Slurm and munge as packages (as root, on Debian and its like), the rest by pip under target/. Where
# Slurm cannot be had, what needs it is skipped by name, and the last line counts. Three to four minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
home=$root/target/tmp/engines
export OJAFLOW=${OJAFLOW:-$root/target/debug/ojaflow}
OJAFLOW=$(realpath "$OJAFLOW")

# A request with what shells, TOML and Python could take for something else; some 40 trainings of less than a second.
title="It's \$HOME, \`id\`, {braces}, \"quotes\" and \\ in one title"
request=(smoke --as engines --set matrix.seed.count=20 --set stages.train.samples=4000 --set "pipeline.title=$title")
shards=6
skipped=()

published_as=engines
. tests/engines/common.sh

# --------------------------------------------------------------------------------------------------------- surroundings

python_packages() {
  local wanted=tests/engines/requirements.txt
  python=$home/python/bin/python
  cmp -s "$wanted" "$home/python/installed-requirements.txt" && return
  rm -rf "$home/python"
  python3 -m venv "$home/python"
  "$python" -m pip install --quiet --disable-pip-version-check --no-deps -r "$wanted"
  cp "$wanted" "$home/python/installed-requirements.txt"
}

# --------------------------------------------------------------------------------------------------------- Slurm

slurm_packages() {
  command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v munged >/dev/null && return
  packages slurmctld slurmd slurm-client munge
}

# A controller and two nodes, with all their files in one folder and on ports that are free.
start_slurm() {
  rig=$home/slurm.rig
  rm -rf "$rig"
  mkdir -p "$rig/state" "$rig/bin"
  local host ports
  host=$(hostname)
  ports=$("$python" -c 'import socket
sockets = [socket.socket() for _ in range(3)]
for one in sockets: one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in sockets))')
  read -r ctld_port n1_port n2_port <<<"$ports"
  cat >"$rig/slurm.conf" <<CONF
ClusterName=$cluster
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$ctld_port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$sockets/munge
StateSaveLocation=$rig/state
SlurmdSpoolDir=$sockets/%n
SlurmctldPidFile=$rig/slurmctld.pid
SlurmdPidFile=$rig/%n.pid
SlurmctldLogFile=$rig/slurmctld.log
SlurmdLogFile=$rig/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SlurmdTimeout=5
KillWait=2
MinJobAge=300
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0
NodeName=n1 NodeAddr=127.0.0.1 NodeHostname=$host Port=$n1_port CPUs=2 RealMemory=32000
NodeName=n2 NodeAddr=127.0.0.1 NodeHostname=$host Port=$n2_port CPUs=2 RealMemory=32000
PartitionName=loopback Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
CONF
  # Snakemake's plugin clears SLURM_CONF, and the usual place of the configuration is not ours: the commands bring it along.
  local name
  for name in sbatch squeue scancel scontrol sinfo srun; do
    printf '#!/bin/sh\nSLURM_CONF=%s exec %s "$@"\n' "$rig/slurm.conf" "$(command -v $name)" >"$rig/bin/$name"
  done
  chmod +x "$rig"/bin/*
  export PATH=$rig/bin:$PATH
  head -c 1024 /dev/urandom >"$rig/munge.key"
  chmod 600 "$rig/munge.key"
  background munged --foreground --force --socket="$sockets/munge" --key-file="$rig/munge.key" \
    --log-file="$rig/munged.log" --pid-file="$rig/munged.pid" --seed-file="$rig/munged.seed"
  until_it_is 20 test -S "$sockets/munge"
  background env SLURM_CONF="$rig/slurm.conf" slurmctld -D -c
  start_node n1
  start_node n2
  until_it_is 30 nodes_are_there
}
start_node() {
  background env SLURM_CONF="$rig/slurm.conf" slurmd -D -N "$1"
  node[${1#n}]=$!
}
nodes_are_there() { [ "$(sinfo -h -N -t idle -o %N 2>/dev/null | sort -u | wc -l)" -eq 2 ]; }

# The processes of jobs on a node, or on both.
processes() {
  local environment
  # Processes end while they are looked at.
  { grep -lzx "SLURM_CLUSTER_NAME=$cluster" /proc/[0-9]*/environ | xargs -r grep -lzx "SLURMD_NODENAME=${1:-n[12]}"; } 2>/dev/null |
    while read -r environment; do basename "$(dirname "$environment")"; done || true
}
at_work_on_n2() { [ -n "$(processes n2)" ]; }

# As if somebody had pulled the plug: the node's daemon first, so that it cannot report anything.
kill_n2() {
  local pids pid parents=()
  pids=$(processes n2)
  [ -n "$pids" ] || fail "nothing runs on n2 any more: the pipeline is too short for this test"
  for pid in $pids; do
    parents+=("$(awk '/^PPid:/ { print $2 }' "/proc/$pid/status" 2>/dev/null)")
  done
  { kill -9 "${node[2]}" && wait "${node[2]}"; } 2>/dev/null || true
  for pid in "${parents[@]}"; do
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != slurmstepd ] || kill -9 "$pid" 2>/dev/null || true
  done
  # shellcheck disable=SC2086
  kill -9 $pids 2>/dev/null || true
  echo "n2 is gone, and with it $(wc -w <<<"$pids") processes"
}

# Slurm notices, and submits the node's jobs again, to begin in two minutes: an administrator can have them begin now.
begin_again() {
  local waiting job
  waiting=$(squeue -h -r -t pending -o '%i %r' | sed -n 's/ BeginTime$//p')
  [ -n "$waiting" ] || return 1
  for job in $waiting; do scontrol update JobId="$job" StartTime=now; done
}

job_is_over() { [ -z "$(squeue -h -j "$1" 2>/dev/null -t pending,running,completing)" ]; }

# --------------------------------------------------------------------------------------------------------- the end

started=()
node=()
cluster=ojaflow$$
sockets=$(mktemp -d) # names of sockets are short
background() {
  "$@" >>"$home/daemons.log" 2>&1 &
  started+=($!)
}
stop() {
  local status=$? pid
  set +e
  if [ "$status" -ne 0 ]; then
    tail -n 25 "$home"/*.log "$home"/slurm.rig/*.log "$home"/*/*.slurm/*.log 2>/dev/null
  fi
  for pid in $(processes) ${started[@]+"${started[@]}"}; do
    kill "$pid" 2>/dev/null
  done
  sleep 1
  for pid in $(processes) ${started[@]+"${started[@]}"}; do
    kill -9 "$pid" 2>/dev/null
  done
  { wait; } 2>/dev/null
  rm -rf "$sockets"
}
trap stop EXIT
trap 'exit 130' INT TERM

# --------------------------------------------------------------------------------------------------------- the engines

mkdir -p "$home"
: >"$home/daemons.log"
step "packages"
python_packages

step "one process"
project local
"$OJAFLOW" pipeline "${request[@]}" --quiet

step "HyperQueue: two workers, one shard killed"
project hyperqueue
"$OJAFLOW" export "${request[@]}" --to hyperqueue --shards $shards --jobs 1 -o engines.hq.toml
"$python" "$root/tests/engines/hq_submit_file.py" engines.hq.toml "${request[@]}"
same hyperqueue

if [ "$(id -u)" -eq 0 ] && (cd "$root" && slurm_packages); then
  step "Slurm: two nodes, one killed"
  start_slurm
  project slurm
  "$OJAFLOW" export "${request[@]}" --to slurm --shards $shards --jobs 1 -o engines.slurm.sh
  said=$(sh engines.slurm.sh)
  echo "$said"
  last=$(sed -n 's/^job \([0-9]*\) publishes.*/\1/p' <<<"$said")
  until_it_is 60 at_work_on_n2
  until_it_is 60 some_results
  kill_n2
  until_it_is 60 begin_again
  until_it_is 120 job_is_over "$last"
  scontrol show job "$last" | grep -q JobState=COMPLETED || fail "the last job: $(scontrol show job "$last")"
  same slurm

  step "Snakemake through Slurm: two nodes, one killed"
  project snakemake
  start_node n2
  until_it_is 30 nodes_are_there
  "$OJAFLOW" export "${request[@]}" --to snakemake --shards $shards --jobs 1 -o engines.smk
  export PATH=$home/python/bin:$PATH
  background snakemake -s engines.smk --executor slurm --jobs 6 \
    --slurm-status-command squeue --slurm-init-seconds-before-status-checks 5 --seconds-between-status-checks 5 \
    --slurm-no-account --default-resources slurm_partition=loopback
  snakemake=$!
  until_it_is 90 at_work_on_n2
  until_it_is 90 some_results
  kill_n2
  until_it_is 60 begin_again
  wait "$snakemake" || fail "snakemake"
  same snakemake
  [ "$(cat receipts/engines.*/published)" = "$(sed -n 's/^PLAN = "\([0-9a-f]*\)".*/\1/p' engines.smk)" ] ||
    fail "a receipt carries another digest than the plan's"
else
  skipped+=("Slurm" "Snakemake through Slurm")
fi

count_skipped
