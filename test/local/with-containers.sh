#!/bin/bash
# Runs a command beside a podman of its own, in namespaces for mounts, network and processes: containers, networks, images
# and published ports are there for the command alone, and are gone with it, even when all of it is killed. No network but
# loopback leads out. docker-compose finds podman by DOCKER_HOST.
#   test/local/with-containers.sh COMMAND...
# Exit code: the command's; 69 where something is missing to run containers, named. Needs root.
set -eu
here=$(dirname "$(realpath "$0")")
PATH="$(realpath "$here/../../node_modules/.bin"):$PATH"
export PATH ELEMTA_TEST_LOCAL=$here

if [ "$(id -u)" != 0 ]; then
  echo 'with-containers: needs root, to make namespaces' >&2
  exit 69
fi
for program in podman crun docker-compose catatonit unshare setpriv iptables; do
  command -v "$program" >/dev/null || { echo "with-containers: $program is missing: node scripts/setup.mjs --for local" >&2; exit 69; }
done

# Control groups are the one thing that no namespace takes with it. Those in use stay: rmdir refuses; so do those that
# another of us may be about to use. What is left, the next one removes.
remove_cgroups() {
  find /sys/fs/cgroup -depth -type d -path '*libpod_parent*' -mmin +0 -exec rmdir {} + 2>/dev/null || true
}
remove_cgroups

# --pdeathsig and --kill-child: whoever of us is killed, the others end too.
setpriv --pdeathsig KILL unshare --mount --net --pid --fork --mount-proc --kill-child "$here/in-namespaces.sh" "$@" <&0 &
inside=$!
trap 'kill -KILL "$inside" 2>/dev/null || true' TERM HUP
trap : INT # the command has it from the terminal, too
while :; do
  status=0
  wait "$inside" || status=$?
  kill -0 "$inside" 2>/dev/null || break
done
remove_cgroups
exit "$status"
