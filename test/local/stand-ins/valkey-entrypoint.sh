#!/bin/sh
# Options alone are for valkey-server; root gives its data directory and itself to the user valkey.
set -e
case "$1" in
  -* | *.conf) set -- valkey-server "$@" ;;
esac
if [ "$1" = valkey-server ] && [ "$(id -u)" = 0 ]; then
  chown -R valkey /data
  exec setpriv --reuid=valkey --regid=valkey --clear-groups -- "$0" "$@"
fi
umask 0077
exec "$@"
