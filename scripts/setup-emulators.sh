#!/bin/sh
# Installs what `npm run test:aws` runs its suites on, by pip, each into an environment of its own: MiniStack, cfn-lint
# and, where there is a Python that it runs on (3.13, also pyenv's), LocalStack. Does nothing when they are there. Prints
# where they are. ELEMTA_EMULATORS says where else than the user's cache. Needs venv, and an index that pip reaches.
set -eu

where="${ELEMTA_EMULATORS:-${XDG_CACHE_HOME:-$HOME/.cache}/elemta/emulators}"
# The last release that runs without an account; with later ones of what it is made of it does not start.
localstack='localstack-core[runtime]==4.14.0 cbor2<6 pyopenssl<26 cryptography<47 service-identity<26'
ministack='ministack==1.5.33'
cfnlint='cfn-lint==1.58.0'

# install <name> <python> <requirements>: a marker names what was installed, so that a half-finished environment is made again.
install() {
  marker="$where/$1/installed"
  if [ -f "$marker" ] && [ "$(cat "$marker")" = "$2 $3" ]; then
    return
  fi
  echo "Installing $3 into $where/$1" >&2
  rm -rf "${where:?}/$1"
  "$2" -m venv "$where/$1"
  # shellcheck disable=SC2086 # several words
  "$where/$1/bin/pip" install --quiet --disable-pip-version-check $3 >&2
  printf %s "$2 $3" >"$marker"
}

# The first Python 3.13 that runs; pyenv's shim of one that is not chosen does not.
python313() {
  for python in python3.13 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13*/bin/python3.13; do
    if "$python" --version >/dev/null 2>&1; then
      echo "$python"
      return
    fi
  done
}

mkdir -p "$where"
install ministack python3 "$ministack"
install cfn-lint python3 "$cfnlint"
python=$(python313)
if [ -n "$python" ]; then
  install localstack "$python" "$localstack"
  # By what a request is told to be for which service. Its image has this file, too; without it the first request that needs
  # it reads the descriptions of all services of AWS, and keeps 350 MB of them.
  catalog="$where/localstack/catalog"
  if [ ! -d "$catalog" ]; then
    rm -rf "$catalog.new"
    mkdir -p "$catalog.new/usr/lib/localstack"
    OVERRIDE_IN_DOCKER=0 FILESYSTEM_ROOT="$catalog.new" "$where/localstack/bin/python" -m localstack.aws.spec >&2
    mv "$catalog.new" "$catalog"
  fi
else
  rm -rf "$where/localstack"
fi
echo "$where"
