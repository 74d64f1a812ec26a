#!/usr/bin/env bash
# Runs Debian's Prometheus and Alertmanager beside a gateway, in the foreground, for machines without containers: brings
# the site's files up to date, then starts both with them. Ctrl-C ends both; data stay below data/.
# Exit codes: 0; 69 when a port is taken or a program is missing; those of setup-monitoring.sh.
set -euo pipefail

usage() {
  cat <<'HELP'
Usage: scripts/start-monitoring.sh [options of elemta monitoring start]

Runs scripts/setup-monitoring.sh, then Prometheus and Alertmanager until Ctrl-C. What changes in the site's folder
meanwhile (targets, rules, routing) is read at once. Without Slack, notifications are printed here.

  npm start                       in one terminal
  scripts/start-monitoring.sh     in another; or npm run monitoring:start, which installs both where they are missing
HELP
}

# shellcheck source=scripts/elemta-command.sh
source "$(dirname "${BASH_SOURCE[0]}")/elemta-command.sh"
run_monitoring start "$@"
