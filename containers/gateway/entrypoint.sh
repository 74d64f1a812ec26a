#!/bin/sh
# Writes the secrets that the gateway reads as files to its own volume, for its owner alone, and takes them out of the
# environment; then becomes node with the arguments given, so that signals reach it.
set -eu
umask 077
directory=${ELEMTA_DATA_DIRECTORY:-/run/elemta}

# file NAME VALUE: nothing where the secret is not given or has not been filled in yet.
file() {
  [ -z "$2" ] || printf '%s\n' "$2" >"$directory/$1"
}

file certificate.pem "${ELEMTA_CERTIFICATE_PEM:-}"
file certificate-key.pem "${ELEMTA_CERTIFICATE_KEY_PEM:-}"
file users "${ELEMTA_USERS:-}"
file release.key "${ELEMTA_RELEASE_KEY:-}"
unset ELEMTA_CERTIFICATE_PEM ELEMTA_CERTIFICATE_KEY_PEM ELEMTA_USERS ELEMTA_RELEASE_KEY

exec node "$@"
