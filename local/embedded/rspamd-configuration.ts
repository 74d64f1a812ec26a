// What rspamd's own configuration (/etc/rspamd) is changed in, as files of local.d and override.d.
// Off is what belongs to others (greylisting is ours, at RCPT), what asks servers outside on every message (fuzzy
// hashes, ASN), and what costs more than it tells without weeks of training (neural).
import { availableParallelism } from 'node:os'

export type RspamdSettings = {
  port: number
  controllerPort: number
  hyperscanDirectory: string
  messageBytes: number
  testPatterns: boolean
  redis: { port: number; password: string } | undefined
  resolverPort: number | undefined
}

const OFF = 'enabled = false;\n'

/** File name below the private configuration directory to content. */
export function rspamdConfiguration(settings: RspamdSettings): Record<string, string> {
  const { port, controllerPort, redis } = settings
  const server = redis && `servers = "127.0.0.1:${redis.port}";\npassword = "${redis.password}";\n`
  return {
    'local.d/options.inc': options(settings),
    'local.d/logging.inc': 'type = "console";\nlevel = "warning";\ncolor = false;\n',
    'local.d/worker-normal.inc': `bind_socket = "127.0.0.1:${port}";\ncount = ${availableParallelism()};\n`,
    'local.d/worker-controller.inc': `bind_socket = "127.0.0.1:${controllerPort}";\nsecure_ip = "127.0.0.1";\n`,
    'local.d/worker-proxy.inc': OFF,
    'local.d/redis.conf': server ?? '',
    'local.d/greylist.conf': OFF,
    'local.d/history_redis.conf': OFF, // it keeps subjects
    'local.d/neural.conf': OFF,
    'local.d/asn.conf': OFF,
    // Not `enabled = false`: rspamd would still look the rule's servers up at start, through the system's resolver.
    'override.d/fuzzy_check.conf': 'rule "local" { enabled = false; servers = "127.0.0.1:1"; }\n',
  }
}

function options({ resolverPort, hyperscanDirectory, messageBytes, testPatterns }: RspamdSettings): string {
  const nameserver = resolverPort === undefined ? '' : `nameserver = ["127.0.0.1:${resolverPort}"]; `
  // The control socket would be a path below the data directory, too long for a socket's name on some machines.
  return `dns { ${nameserver}timeout = 1s; retransmits = 2; sockets = 4; }
hs_cache_dir = "${hyperscanDirectory}";
control_socket = "";
history_rows = 20;
max_message = ${messageBytes};
enable_test_patterns = ${testPatterns};
`
}
