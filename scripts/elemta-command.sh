# shellcheck shell=bash
# Sourced by the scripts of the monitoring. Sets `elemta` to what runs the command line: ELEMTA_COMMAND as it is, else this
# project's Node, else the machine's; ends the script with 69 without any. `run_monitoring` does what each script is for.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [[ -n ${ELEMTA_COMMAND:-} ]]; then
  read -r -a elemta <<<"$ELEMTA_COMMAND"
elif [[ -x $root/node_modules/.bin/node ]]; then
  elemta=("$root/node_modules/.bin/node" "$root/bin/elemta.ts")
elif command -v node >/dev/null; then
  elemta=(node "$root/bin/elemta.ts")
else
  echo "$(basename "$0"): there is neither $root/node_modules nor node: run npm install, or set ELEMTA_COMMAND" >&2
  exit 69
fi

# run_monitoring SUBCOMMAND [OPTION...]: `elemta monitoring`; --help shows the script's own usage first.
run_monitoring() {
  local argument
  for argument in "${@:2}"; do
    if [[ $argument == --help || $argument == -h ]]; then
      usage
      printf '\nEnvironment:\n  ELEMTA_COMMAND   how to run elemta, if not by this project\n\nAll options:\n\n'
      "${elemta[@]}" monitoring "$1" --help
      exit 0
    fi
  done
  exec "${elemta[@]}" monitoring "$@"
}
