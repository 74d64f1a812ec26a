#!/usr/bin/env bash
# Sends a load of mail of all kinds to a gateway, so that every dashboard and rule has something to show, and prints the
# account of what became of it. A front of `elemta load`: finds the gateway, and passes the other options on.
# Exit codes: those of `elemta load`; 69 when there is no gateway, 64 for a wrong call.
set -euo pipefail

usage() {
  cat <<'HELP'
Usage: scripts/generate-test-load.sh [options of elemta load]

Sends clean mail, EICAR, GTUBE, greylisted strangers, unknown users, big and slow messages, seeded, at a steady rate, and
accounts for it: sent = accepted + refused + not answered.

  scripts/generate-test-load.sh                            10 messages a second for 30 s
  scripts/generate-test-load.sh --rate 20/s --duration 5m  more, and longer
  scripts/generate-test-load.sh --seed 2 --json            another load; the account as JSON
  scripts/generate-test-load.sh --expect clean=250         fails unless clean mail is taken

Environment:
  ELEMTA_SMTP        host:port of the gateway (default: 127.0.0.1:2525, or else :25, whichever answers)
  ELEMTA_METRICS     URL of its /metrics, to compare with what it says it received; none: not compared
                     (default: http://127.0.0.1:8080/metrics where it answers)
  ELEMTA_SUBMISSION  host:port where users log in: adds wrong passwords to the load
  ELEMTA_TO          recipient (default: load@example.com)
  ELEMTA_COMMAND     how to run elemta (default: this project's)

It works alike for a gateway that was started here and for one whose ports a container publishes.
All options of elemta load:

HELP
  "${elemta[@]}" load --help
}

fail() {
  echo "generate-test-load: $1" >&2
  exit "$2"
}

answers() {
  local host=${1%:*} port=${1##*:}
  timeout 2 bash -c "exec 3<>'/dev/tcp/$host/$port'" 2>/dev/null
}

find_gateway() {
  local candidate
  for candidate in ${ELEMTA_SMTP:-127.0.0.1:2525 127.0.0.1:25}; do
    if answers "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

find_metrics() {
  local url=${ELEMTA_METRICS-http://127.0.0.1:8080/metrics}
  if [[ -z $url || $url == none ]]; then return; fi
  if curl --silent --fail --max-time 5 "$url" 2>/dev/null | grep '^elemta_messages_received_total ' >/dev/null; then
    echo "$url"
  elif [[ -n ${ELEMTA_METRICS:-} ]]; then
    return 1
  fi
}

# shellcheck source=scripts/elemta-command.sh
source "$(dirname "${BASH_SOURCE[0]}")/elemta-command.sh"

for argument in "$@"; do
  if [[ $argument == --help || $argument == -h ]]; then
    usage
    exit 0
  fi
  if [[ $argument == --server* ]]; then fail 'the gateway is named by ELEMTA_SMTP' 64; fi
done

server=$(find_gateway) || fail "no gateway answers on ${ELEMTA_SMTP:-127.0.0.1:2525 or 127.0.0.1:25}; start one with npm start, or set ELEMTA_SMTP" 69
metrics=$(find_metrics) || fail "$ELEMTA_METRICS has no metrics of Elemta" 69

options=(--server "$server" --to "${ELEMTA_TO:-load@example.com}")
if [[ -n $metrics ]]; then options+=(--metrics "$metrics"); fi
if [[ -n ${ELEMTA_SUBMISSION:-} ]]; then
  options+=(--submission "$ELEMTA_SUBMISSION" --mix 'clean=78,gtube=5,eicar=2,greylist=3,unknown=5,big=3,slow=2,auth=2')
fi
echo "sending to $server${metrics:+, compared with $metrics}" >&2
exec "${elemta[@]}" load "${options[@]}" "$@"
