#!/bin/sh
# Writes rspamd's configuration for one task and becomes rspamd. From the environment: ports, resolver, redis, password,
# and the Spamhaus key; the thresholds follow RSPAMD_REJECT_SCORE, as reject_score of the gateway. It listens on 127.0.0.1
# unless RSPAMD_ADDRESS says otherwise; whoever is not there too needs the password for the web interface.
set -eu
umask 077
home=${RSPAMD_HOME:-/var/lib/rspamd/elemta}
policy=${RSPAMD_POLICY:-/usr/share/elemta/local.d}
address=${RSPAMD_ADDRESS:-127.0.0.1}
rm -rf "$home"
mkdir -p "$home/override.d" "$home/generated.d"
cp -R "$policy" "$home/local.d"

# put FILE: standard input, below the directory.
put() {
  cat >"$home/$1"
}

put override.d/logging.inc <<END
type = "console";
level = "warning";
color = false;
END
put override.d/worker-normal.inc <<END
bind_socket = "$address:${RSPAMD_PORT:-11333}";
allow_file_and_shm_inputs = false;
END
put override.d/worker-controller.inc <<END
bind_socket = "$address:${RSPAMD_CONTROLLER_PORT:-11334}";
allow_file_and_shm_inputs = false;
secure_ip = "127.0.0.1";
password = "${RSPAMD_PASSWORD:?}";
enable_password = "${RSPAMD_PASSWORD}";
END
reject=${RSPAMD_REJECT_SCORE:-15}
put override.d/actions.conf <<END
reject = $reject;
add_header = $(awk -v reject="$reject" 'BEGIN { tag = reject * 6 / 15; print (tag < 6 ? tag : 6) }');
END
put generated.d/options.inc <<END
dns { nameserver = ["${RSPAMD_DNS_SERVERS:-127.0.0.1:5335}"]; }
max_message = ${RSPAMD_MAX_MESSAGE:-52428800};
END

fuzzy=127.0.0.1:11335
if [ -n "${RSPAMD_REDIS_SERVERS:-}" ]; then
  printf 'servers = "%s";\n' "$RSPAMD_REDIS_SERVERS" | put override.d/redis.conf
  printf 'bind_socket = "%s";\n' "$fuzzy" | put override.d/worker-fuzzy.inc
  printf 'rule "local" { servers = "%s"; }\n' "$fuzzy" | put generated.d/fuzzy_check.conf
else
  # Without redis there is nothing to keep hashes in.
  printf 'bind_socket = "%s";\ncount = -1;\n' "$fuzzy" | put override.d/worker-fuzzy.inc
  printf 'rule "local" { enabled = false; servers = "%s"; }\n' "$fuzzy" | put generated.d/fuzzy_check.conf
fi

if [ -n "${RSPAMD_DQS_KEY:-}" ]; then
  put generated.d/rbl.conf <<END
rbls {
  spamhaus { rbl = "$RSPAMD_DQS_KEY.zen.dq.spamhaus.net"; }
  DOMAINS_DBL { rbl = "$RSPAMD_DQS_KEY.dbl.dq.spamhaus.net"; }
}
END
fi
exec "${RSPAMD_PROGRAM:-rspamd}" -f
