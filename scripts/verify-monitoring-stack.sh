#!/usr/bin/env bash
# Checks the monitoring that runs, natively started or in containers, and says in words what is wrong. A front of
# `elemta monitoring verify`.
# Exit codes: 0 when all is well, 1 when something is not, 64 for a wrong call.
set -euo pipefail

usage() {
  cat <<'HELP'
Usage: scripts/verify-monitoring-stack.sh [options of elemta monitoring verify]

Checks that every target is up, the scanners answer, every rule is loaded and works, every metric of rules and panels is
live, every panel has data, Grafana (where one runs) knows the dashboards, and that a test notification is delivered,
which waits for Alertmanager's group_wait: half a minute.

  scripts/verify-monitoring-stack.sh                          the stack on this machine's usual ports
  scripts/verify-monitoring-stack.sh --notify critical        by e-mail, too
  scripts/verify-monitoring-stack.sh --allow-quiet            where not everything has happened yet
  scripts/verify-monitoring-stack.sh --prometheus http://prometheus.example.com:9090 --notify none
HELP
}

# shellcheck source=scripts/elemta-command.sh
source "$(dirname "${BASH_SOURCE[0]}")/elemta-command.sh"
run_monitoring verify "$@"
