#!/bin/sh
# unbound on UNBOUND_PORT of 127.0.0.1; with UNBOUND_FORWARD_TO it asks that address instead of the root servers.
set -eu
configuration=/tmp/unbound.conf
{
  cat "${UNBOUND_CONFIGURATION:-/etc/unbound/elemta.conf}"
  printf 'server:\n  port: %s\n' "${UNBOUND_PORT:-5335}"
  [ -z "${UNBOUND_FORWARD_TO:-}" ] || printf 'forward-zone:\n  name: "."\n  forward-addr: %s\n' "$UNBOUND_FORWARD_TO"
} >"$configuration"
exec unbound -d -c "$configuration"
