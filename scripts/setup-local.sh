#!/usr/bin/env bash
# Prepares the stack of containers: local/.env with passwords that are made up, the monitoring's files in local/site. Says
# what is in the way of a start: ports, memory, an emulator that asks for an account, volumes of another version.
# A front of `elemta monitoring setup --for containers`. May be run again at any time: what is there stays.
# Exit codes: 0; 1 when something is in the way; 64 for a wrong call, 78 for a mistake in a settings file.
set -euo pipefail

usage() {
  cat <<'HELP'
Usage: scripts/setup-local.sh [options of elemta monitoring setup]

  scripts/setup-local.sh                                  then: docker-compose -f docker-compose-monitoring.yml up -d
  SMTP_PORT=2526 scripts/setup-local.sh                   any variable of local/.env.example
  CLAMAV_SIGNATURES=test COMPOSE_PROFILES=light scripts/setup-local.sh    for small machines: finds EICAR only
HELP
}

# shellcheck source=scripts/elemta-command.sh
source "$(dirname "${BASH_SOURCE[0]}")/elemta-command.sh"
run_monitoring setup --for containers "$@"
