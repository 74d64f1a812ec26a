#!/bin/bash
# The container runtime of with-containers.sh: crun, with what a container was asked to be made into what is possible here
# (change-container.mjs) before it is created.
set -eu
here=$(dirname "$(realpath "$0")")
change=("$here/../../node_modules/node/bin/node" "$here/change-container.mjs")
bundle='' process=''
arguments=("$@")
for ((n = 0; n < $#; n++)); do
  case "${arguments[n]}" in
    --bundle | -b) bundle=${arguments[n + 1]} ;;
    --process | -p) process=${arguments[n + 1]} ;;
  esac
done
case " $* " in
  *' create '* | *' run '*) "${change[@]}" "$bundle/config.json" ;;
  *' exec '*) [ -z "$process" ] || "${change[@]}" "$process" ;;
esac
exec crun "$@"
