#!/usr/bin/env bash
# Tests the monitoring without a stack: what is committed is what its sources say, promtool and amtool find nothing wrong,
# every alert's stories hold, alerts go to whom they should. With an Alertmanager that runs: sends it a test alert.
# Exit codes: 0 when all holds, 1 when something does not, 69 when promtool or amtool is missing.
set -uo pipefail

usage() {
  cat <<'HELP'
Usage: scripts/test-monitoring.sh [--site FOLDER] [--quick]

  drift     the rendered files below monitoring/ are what their sources say
  promtool  prometheus.yml with its rules and targets is valid; the same for the site, where one is set up
  stories   every alert fires, stays quiet at its boundary, ends, and bears missing series and restarts (npm packages)
  amtool    alertmanager.yml is valid; critical, warning, info and Watchdog go to the receivers of their names
  alert     where an Alertmanager answers, it is handed a test alert, which ends after five minutes

  --site FOLDER   of a site (default: data/monitoring, where it is set up)
  --quick         without the stories

Environment:
  ALERTMANAGER_URL   where one may run (default: http://127.0.0.1:9093)
  ELEMTA_COMMAND     how to run elemta, if not by this project
HELP
}

# shellcheck source=scripts/elemta-command.sh
source "$(dirname "${BASH_SOURCE[0]}")/elemta-command.sh"
node=${elemta[0]}
site=$root/data/monitoring
quick=
while (($# > 0)); do
  case $1 in
    --site)
      site=${2:?--site needs a folder}
      shift
      ;;
    --quick) quick=yes ;;
    --help | -h)
      usage
      exit 0
      ;;
    *)
      echo "test-monitoring: $1: unknown; --help says more" >&2
      exit 64
      ;;
  esac
  shift
done

for tool in promtool amtool; do
  if ! command -v "$tool" >/dev/null; then
    echo "test-monitoring: $tool is not installed: apt-get install prometheus prometheus-alertmanager" >&2
    exit 69
  fi
done

failed=0
# check NAME WHAT-IT-MEANS COMMAND...: one line; the command's own words where it fails.
check() {
  local name=$1 what=$2 output
  shift 2
  if output=$("$@" 2>&1); then
    printf 'ok      %-9s %s\n' "$name" "$what"
  else
    printf 'FAILED  %-9s %s\n%s\n' "$name" "$what" "$output"
    failed=1
  fi
}

# routed FOLDER RECEIVER LABEL...; called by check.
# shellcheck disable=SC2317
routed() {
  local receiver=$2 found
  found=$(amtool config routes test --config.file="$1/alertmanager/alertmanager.yml" "${@:3}")
  [[ ,$found, == *,$receiver,* ]] || {
    echo "${*:3} goes to ${found:-nobody}, not to $receiver"
    return 1
  }
}

test_folder() {
  local folder=$1
  check promtool "$folder/prometheus" promtool check config "$folder/prometheus/prometheus.yml"
  check amtool "$folder/alertmanager" amtool check-config "$folder/alertmanager/alertmanager.yml"
  check amtool 'critical alerts go to critical' routed "$folder" critical alertname=ElemtaDown severity=critical
  check amtool 'warnings go to warning' routed "$folder" warning alertname=QueueSizeGrowing severity=warning
  check amtool 'infos go to info' routed "$folder" info alertname=MailVolumeAnomaly severity=info
  check amtool 'what nobody answers goes to the second in line' \
    routed "$folder" escalated alertname=ElemtaDown severity=critical escalation=second
  check amtool 'Watchdog goes to the dead-man switch' routed "$folder" dead-mans-switch alertname=Watchdog severity=info
}

cd "$root" || exit 69
check drift 'monitoring/ is what its sources say' "$node" monitoring/render.ts --check
test_folder "$root/monitoring"
if [[ -e $site/prometheus/prometheus.yml ]]; then test_folder "$site"; fi

# The stories' own line says how many alerts they are of: "34 alerts, 53 rules x 5 kinds: 371 stories, 947 looks".
stories() {
  local output told all
  output=$("$node" node_modules/vitest/vitest.mjs run --no-color --config test/monitoring/rules/vitest.config.ts 2>&1) || {
    echo "$output"
    return 1
  }
  told=$(grep --only-matching -E '^[0-9]+ alerts, .*' <<<"$output")
  all=$(sed -n 's/^ *- alert: //p' monitoring/prometheus/rules/elemta-*.yml | sort -u | wc -l)
  summary="alerts ${told%% *}/$all tested with promtool: ${told#*, }"
  if [[ ${told%% *} != "$all" ]]; then
    echo "$summary"
    return 1
  fi
}

if [[ -z $quick && -d $root/node_modules/vitest ]]; then
  if stories; then
    printf 'ok      %-9s %s\n' stories "$summary"
  else
    printf 'FAILED  %-9s an alert does not do what its stories tell\n' stories
    failed=1
  fi
fi

alertmanager=${ALERTMANAGER_URL:-http://127.0.0.1:9093}
if curl --silent --fail --max-time 5 --output /dev/null "$alertmanager/-/ready"; then
  check alert "handed to $alertmanager: alertname=MonitoringTest" \
    amtool alert add --alertmanager.url="$alertmanager" alertname="MonitoringTest$RANDOM" severity=warning team=platform \
    --annotation=summary='This is a test of the notifications: nothing is wrong' \
    --end="$(date --utc --date='+5 minutes' +%Y-%m-%dT%H:%M:%SZ)"
else
  echo "        alert     no Alertmanager answers at $alertmanager: no test alert was sent"
fi
exit "$failed"
