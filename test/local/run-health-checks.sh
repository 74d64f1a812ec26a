#!/bin/bash
# Runs the health checks of all containers, as systemd's timers do where there is a systemd: every second while a container
# starts, every ten seconds after.
for ((second = 0; ; second++)); do
  filters=(--filter health=starting --filter health=unhealthy)
  ((second % 10)) || filters+=(--filter health=healthy)
  for container in $(podman ps --quiet "${filters[@]}"); do
    podman healthcheck run "$container" >/dev/null 2>&1 &
  done
  wait
  sleep 1
done
