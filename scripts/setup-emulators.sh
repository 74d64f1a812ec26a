#!/bin/sh
# Installs the emulators that `npm run test:aws` runs its suites on, by pip, each into an environment of its own:
# LocalStack (S3, SQS, SNS) and MiniStack (DynamoDB). Does nothing when they are there. Prints where they are.
# ELEMTA_EMULATORS says where else than the user's cache. Needs python3 with venv, and a package index that pip reaches.
set -eu

where="${ELEMTA_EMULATORS:-${XDG_CACHE_HOME:-$HOME/.cache}/elemta/emulators}"
# The last release that runs without an account; with later ones of what it is made of it does not start.
localstack='localstack-core[runtime]==4.14.0 cbor2<6 pyopenssl<26 cryptography<47 service-identity<26'
ministack='ministack==1.5.33'

# install <name> <requirements>: a marker names what was installed, so that a half-finished environment is made again.
install() {
  marker="$where/$1/installed"
  if [ -f "$marker" ] && [ "$(cat "$marker")" = "$2" ]; then
    return
  fi
  echo "Installing $2 into $where/$1" >&2
  rm -rf "${where:?}/$1"
  python3 -m venv "$where/$1"
  # shellcheck disable=SC2086 # several words
  "$where/$1/bin/pip" install --quiet --disable-pip-version-check $2 >&2
  printf %s "$2" >"$marker"
}

mkdir -p "$where"
install localstack "$localstack"
install ministack "$ministack"
echo "$where"
