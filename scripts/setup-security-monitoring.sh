#!/usr/bin/env bash
# Sets the monitoring up as setup-monitoring.sh does, then checks its security part: ClamAV, Rspamd, their metrics, the
# rules. A front of `elemta monitoring security`. May be run again at any time.
# Exit codes: 0; 1 when something is wrong, which is told in words; 64 for a wrong call, 78 for a mistake in a settings file.
set -euo pipefail

usage() {
  cat <<'HELP'
Usage: scripts/setup-security-monitoring.sh [options of elemta monitoring security]

Does what scripts/setup-monitoring.sh does (same options), then checks

  scanners   clamd and Rspamd answer the gateway; signatures and lists are as they should be
  clamav     the exporter of clamd's metrics, /metrics/clamav of the gateway's operator's port, has them
  rspamd     Rspamd's controller gives its metrics, with the password of the configuration where it asks for one
  rules      the group elemta-security is there

  scripts/setup-security-monitoring.sh                    beside a gateway that runs (npm start); with Docker also what
                                                          containers need, which verify-monitoring-stack.sh looks into
  scripts/setup-security-monitoring.sh --for containers   that alone
HELP
}

# shellcheck source=scripts/elemta-command.sh
source "$(dirname "${BASH_SOURCE[0]}")/elemta-command.sh"
run_monitoring security "$@"
