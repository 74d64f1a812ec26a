#!/bin/sh
# Fetches what containers without a network are made from (downloads.ts): the emulators of AWS, and the packages of the
# gateway into an npm cache. Does nothing when it is all there.
set -eu
repository=$(cd "$(dirname "$0")/../.." && pwd)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/elemta/npm"
"$repository/scripts/setup-emulators.sh" >/dev/null

locked=$(sha256sum "$repository/package-lock.json")
if [ "$(cat "$cache/fetched" 2>/dev/null)" != "$locked" ]; then
  directory=$(mktemp -d)
  trap 'rm -rf "$directory"' EXIT
  cp "$repository/package.json" "$repository/package-lock.json" "$directory/"
  (cd "$directory" && npm install --omit=dev --ignore-scripts --no-save --no-audit --no-fund --cache "$cache" >&2)
  # Entries of the cache are named after the registry.
  npm config get registry >"$cache/registry"
  printf '%s\n' "$locked" >"$cache/fetched"
fi
