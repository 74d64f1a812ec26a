#!/bin/sh
# rspamd as rspamd/rspamd builds it: its own configuration is in /usr/share/rspamd/config, /etc/rspamd is ours alone. Debian's
# is told so.
for argument in "$@"; do
  case "$argument" in
    -c | --config) exec /opt/stand-in/rspamd "$@" ;;
  esac
done
exec /opt/stand-in/rspamd -c /usr/share/rspamd/config/rspamd.conf --var CONFDIR=/usr/share/rspamd/config --var LOCAL_CONFDIR=/etc/rspamd "$@"
