#!/usr/bin/env bash
# Writes what Prometheus, Alertmanager and Grafana need for this site: rules, routing, dashboards, targets, secrets.
# A front of `elemta monitoring setup`. May be run again at any time: settings and secrets that are there stay.
# Exit codes: 0; 1 when promtool or amtool found something wrong; 64 for a wrong call, 78 for a mistake in a settings file.
set -euo pipefail

usage() {
  cat <<'HELP'
Usage: scripts/setup-monitoring.sh [options of elemta monitoring setup]

Makes the folder of a site's monitoring (data/monitoring), or brings it up to date:

  thresholds.yaml, routing.yaml   when alerts fire, and who is told: yours; written once
  secrets/                        a file each, mode 0600: yours; written once
  prometheus/ alertmanager/ grafana/   rendered from them, each time, and checked by promtool and amtool

  scripts/setup-monitoring.sh                           Prometheus beside `npm start`; notifications are printed
  scripts/setup-monitoring.sh --slack-url-file FILE     notifications go to Slack
  scripts/setup-monitoring.sh --for containers          for the stack of containers alone: as scripts/setup-local.sh

Without --for, --config and --out it prepares the stack of containers, too, where there is Docker.

At a terminal it asks for secrets that it does not have.
HELP
}

# shellcheck source=scripts/elemta-command.sh
source "$(dirname "${BASH_SOURCE[0]}")/elemta-command.sh"
run_monitoring setup "$@"
