#!/bin/sh
# unbound on UNBOUND_PORT of UNBOUND_ADDRESS (127.0.0.1, for itself only) for the networks of UNBOUND_ALLOW, separated by
# spaces; with UNBOUND_FORWARD_TO it asks that address instead of the root servers.
set -eu
configuration=/tmp/unbound.conf
{
  cat "${UNBOUND_CONFIGURATION:-/etc/unbound/elemta.conf}"
  printf 'server:\n  interface: %s\n  port: %s\n' "${UNBOUND_ADDRESS:-127.0.0.1}" "${UNBOUND_PORT:-5335}"
  for network in 127.0.0.0/8 ${UNBOUND_ALLOW:-}; do
    printf '  access-control: %s allow\n' "$network"
  done
  [ -z "${UNBOUND_FORWARD_TO:-}" ] || printf 'forward-zone:\n  name: "."\n  forward-addr: %s\n' "$UNBOUND_FORWARD_TO"
} >"$configuration"
exec unbound -d -c "$configuration"
