#!/bin/sh
# Prepares what containers without a network are made from (downloads.ts), in the user's cache: the emulators of AWS, the
# packages of the gateway, compiled patterns. Does nothing when it is all there.
set -eu
repository=$(cd "$(dirname "$0")/../.." && pwd)
caches="${XDG_CACHE_HOME:-$HOME/.cache}/elemta"
cache="$caches/npm"
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
"$repository/scripts/setup-emulators.sh" >/dev/null

locked=$(sha256sum "$repository/package-lock.json")
if [ "$(cat "$cache/fetched" 2>/dev/null)" != "$locked" ]; then
  cp "$repository/package.json" "$repository/package-lock.json" "$directory/"
  (cd "$directory" && npm install --omit=dev --ignore-scripts --no-save --no-audit --no-fund --cache "$cache" >&2)
  # Entries of the cache are named after the registry.
  npm config get registry >"$cache/registry"
  printf '%s\n' "$locked" >"$cache/fetched"
fi

# rspamd compiles patterns before it starts, for up to a minute: once here, not in each test's new container.
patterns="$caches/rspamd-patterns"
if [ ! -e "$patterns/done" ]; then
  echo 'Compiling the patterns of rspamd' >&2
  rm -rf "$patterns"
  mkdir -p "$patterns" "$directory/override.d"
  for worker in normal controller; do
    echo "bind_socket = \"$directory/$worker.sock\";" >"$directory/override.d/worker-$worker.inc"
  done
  for worker in proxy fuzzy; do
    echo 'enabled = false;' >"$directory/override.d/worker-$worker.inc"
  done
  echo 'type = "console";' >"$directory/override.d/logging.inc"
  rspamd --insecure -f -c /etc/rspamd/rspamd.conf --var LOCAL_CONFDIR="$directory" --var DBDIR="$patterns" \
    --var RUNDIR="$directory" >"$directory/rspamd.log" 2>&1 &
  rspamd=$!
  until rspamadm control -s "$patterns/rspamd.sock" stat >/dev/null 2>&1; do
    kill -0 $rspamd || { cat "$directory/rspamd.log" >&2; exit 1; }
    sleep 1
  done
  kill $rspamd
  wait $rspamd || true
  find "$patterns" ! -name '*.hs*' -type f -delete
  touch "$patterns/done"
fi
