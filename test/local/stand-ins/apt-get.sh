#!/bin/sh
# apt-get of the stand-in of debian, whose /usr is this machine's: what is to be installed is there, or this fails.
set -eu
[ "$1" = install ] || exit 0
shift
for name in "$@"; do
  case "$name" in
    -*) ;;
    *)
      dpkg-query --status "$name" >/dev/null 2>&1 || { echo "E: $name is not installed on the machine under the stand-in" >&2; exit 100; }
      ;;
  esac
done
