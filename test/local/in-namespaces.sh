#!/bin/bash
# The inside of with-containers.sh, as process 1 of the namespace: starts podman's service and what looks after health
# checks, runs the command, and ends with its exit code.
set -eu

# Old crun refuses version 2 of control groups beside version 1.
umount /sys/fs/cgroup/unified 2>/dev/null || true
ip link set lo up
# What podman keeps is kept in memory. /dev/shm holds its locks.
for directory in /dev/shm /var/lib/containers /var/tmp /run/containers /run/libpod /run/netns /run/crun /run/podman /etc/containers/networks; do
  mkdir -p "$directory"
  mount -t tmpfs tmpfs "$directory"
done
chmod 1777 /dev/shm /var/tmp

state=/run/podman
cat >$state/containers.conf <<END
[containers]
init_path = "$(command -v catatonit)"
# More than the process that starts them may: without CAP_SYS_RESOURCE nobody can give that.
default_ulimits = ["nofile=$(ulimit -Hn):$(ulimit -Hn)", "nproc=$(ulimit -Hu | sed s/unlimited/-1/):$(ulimit -Hu | sed s/unlimited/-1/)"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun-for-tests"
image_copy_tmp_dir = "/var/tmp"
[engine.runtimes]
crun-for-tests = ["$ELEMTA_TEST_LOCAL/crun-for-tests.sh"]
[network]
network_backend = "netavark"
END
printf '[storage]\ndriver = "overlay"\ngraphroot = "/var/lib/containers/storage"\nrunroot = "/run/containers/storage"\n' >$state/storage.conf
# Names without a registry are Docker Hub's; nothing is ever asked for there.
printf 'unqualified-search-registries = ["docker.io"]\nshort-name-mode = "disabled"\n' >$state/registries.conf
export CONTAINERS_CONF=$state/containers.conf CONTAINERS_STORAGE_CONF=$state/storage.conf CONTAINERS_REGISTRIES_CONF=$state/registries.conf
export DOCKER_HOST=unix://$state/podman.sock COMPOSE_HTTP_TIMEOUT=300

podman system service --time=0 "$DOCKER_HOST" >$state/service.log 2>&1 &
service=$!
until curl --silent --unix-socket $state/podman.sock http://podman/_ping >$state/ping 2>&1 && grep -q OK $state/ping; do
  kill -0 $service 2>/dev/null || { cat $state/service.log >&2; exit 69; }
  sleep 0.05
done
node "$ELEMTA_TEST_LOCAL/run-health-checks.mjs" &

status=0
"$@" || status=$?
podman rm --force --all --time 0 >/dev/null 2>&1 || true
exit $status
