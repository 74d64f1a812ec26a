#!/bin/sh
# clamd with its address, or another program of ClamAV's as it is. Where nobody has brought signatures yet clamd starts with
# those of the image, which are as old as it is: the age of signatures is watched, and an alert tells. With
# CLAMD_SIGNATURES=test it finds the EICAR test file and nothing else, for trying things out on a small machine.
set -eu
if [ "$1" != clamd ]; then
  exec "$@"
fi
directory=/var/lib/clamav
if [ "${CLAMD_SIGNATURES:-full}" = test ]; then
  echo 'ATTENTION: CLAMD_SIGNATURES=test: clamd finds the EICAR test file and nothing else. This is no protection.'
  directory=/tmp/signatures
  mkdir -p "$directory"
  # In hexadecimal, so that nobody takes this file for a virus.
  echo 'Eicar-Test-Signature:0:*:58354f2150254041505b345c505a58353428505e2937434329377d2445494341522d5354414e444152442d414e544956495255532d544553542d46494c452124482b482a' >"$directory/eicar.ndb"
elif [ -z "$(find "$directory" -name 'main.c?d')" ]; then
  cp /usr/share/clamav-signatures/*.c?d "$directory/"
fi
configuration=/tmp/clamd.conf
sed "s|^DatabaseDirectory .*|DatabaseDirectory $directory|" /etc/clamav/clamd.conf >"$configuration"
printf '%s\n' \
  "TCPAddr ${CLAMD_ADDRESS:-127.0.0.1}" \
  "TCPSocket ${CLAMD_PORT:-3310}" \
  "StreamMaxLength ${CLAMD_STREAM_MAX:-50M}" \
  "ConcurrentDatabaseReload ${CLAMD_RELOAD_BESIDE:-yes}" >>"$configuration"
exec clamd --config-file="$configuration"
