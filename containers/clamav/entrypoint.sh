#!/bin/sh
# clamd with its address, or another program of ClamAV's as it is. Where nobody has brought signatures yet clamd starts with
# those of the image, which are as old as it is: the age of signatures is watched, and an alert tells.
set -eu
if [ "$1" != clamd ]; then
  exec "$@"
fi
directory=/var/lib/clamav
if [ -z "$(find "$directory" -name 'main.c?d')" ]; then
  cp /usr/share/clamav-signatures/*.c?d "$directory/"
fi
configuration=/tmp/clamd.conf
cp /etc/clamav/clamd.conf "$configuration"
printf '%s\n' \
  "TCPAddr ${CLAMD_ADDRESS:-127.0.0.1}" \
  "TCPSocket ${CLAMD_PORT:-3310}" \
  "StreamMaxLength ${CLAMD_STREAM_MAX:-50M}" \
  "ConcurrentDatabaseReload ${CLAMD_RELOAD_BESIDE:-yes}" >>"$configuration"
exec clamd --config-file="$configuration"
