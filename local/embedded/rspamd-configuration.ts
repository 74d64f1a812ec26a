// The configuration of our own rspamd, as files below its LOCAL_CONFDIR. What is policy stands in config/rspamd/local.d
// and is copied as it is at every start; what belongs to this machine (ports, password, resolver, directories) and what
// follows from config/elemta.yaml (thresholds, DQS) is written here: into override.d, where it replaces whole values,
// and into generated.d, which policy files include last where a part of a value is to be replaced.
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export type RspamdSettings = {
  port: number
  controllerPort: number
  fuzzyPort: number
  hyperscanDirectory: string
  messageBytes: number
  rejectScore: number
  dqsKey: string | undefined
  testPatterns: boolean
  redis: { port: number; password: string } | undefined
  resolverPort: number | undefined
}

/** The project's own files, the same for every home. */
export const POLICY_DIRECTORY = fileURLToPath(new URL('../../config/rspamd/local.d', import.meta.url))

const STOCK_REJECT_SCORE = 15
const STOCK_TAG_SCORE = 6

/** File name below the private configuration directory to content. Throws when the policy cannot be read. */
export function rspamdConfiguration(settings: RspamdSettings): Record<string, string> {
  return { ...policyFiles(), ...generatedFiles(settings) }
}

/** rspamd's `add header` threshold: 6 of 15, and in the same proportion where mail is rejected earlier. */
export function tagScore(rejectScore: number): number {
  return Math.min(STOCK_TAG_SCORE, (rejectScore * STOCK_TAG_SCORE) / STOCK_REJECT_SCORE)
}

function policyFiles(): Record<string, string> {
  const files = readdirSync(POLICY_DIRECTORY, { withFileTypes: true }).filter(entry => entry.isFile())
  return Object.fromEntries(
    files.map(({ name }) => [`local.d/${name}`, readFileSync(join(POLICY_DIRECTORY, name), 'utf8')]),
  )
}

function generatedFiles(settings: RspamdSettings): Record<string, string> {
  const { port, controllerPort, fuzzyPort, redis, rejectScore, dqsKey } = settings
  const storage = `servers = "127.0.0.1:${fuzzyPort}";`
  return {
    'override.d/logging.inc': 'type = "console";\nlevel = "warning";\ncolor = false;\n',
    'override.d/worker-normal.inc': `bind_socket = "127.0.0.1:${port}";\ncount = ${availableParallelism()};\n`,
    'override.d/worker-controller.inc': `bind_socket = "127.0.0.1:${controllerPort}";\nsecure_ip = "127.0.0.1";\n`,
    'override.d/actions.conf': `reject = ${rejectScore};\nadd_header = ${tagScore(rejectScore)};\n`,
    'override.d/redis.conf': redis ? `servers = "127.0.0.1:${redis.port}";\npassword = "${redis.password}";\n` : '',
    // Without redis there is nothing to keep hashes in.
    'override.d/worker-fuzzy.inc': `bind_socket = "127.0.0.1:${fuzzyPort}";\n${redis ? '' : 'count = -1;\n'}`,
    'generated.d/fuzzy_check.conf': `rule "local" { ${redis ? '' : 'enabled = false; '}${storage} }\n`,
    'generated.d/options.inc': options(settings),
    'generated.d/rbl.conf': dqsKey === undefined ? '' : dqsZones(dqsKey),
  }
}

function options({ resolverPort, hyperscanDirectory, messageBytes, testPatterns }: RspamdSettings): string {
  const nameserver = resolverPort === undefined ? '' : `dns { nameserver = ["127.0.0.1:${resolverPort}"]; }\n`
  // The control socket would be a path below the data directory, too long for a socket's name on some machines.
  return `${nameserver}hs_cache_dir = "${hyperscanDirectory}";
control_socket = "";
max_message = ${messageBytes};
enable_test_patterns = ${testPatterns};
`
}

/** Spamhaus's zones for holders of a key: ZEN and DBL in place of the free ones, ZRD (domains first seen today) more. */
function dqsZones(key: string): string {
  return `rbls {
  spamhaus { rbl = "${key}.zen.dq.spamhaus.net"; }
  DOMAINS_DBL { rbl = "${key}.dbl.dq.spamhaus.net"; }
  ZRD {
    ignore_defaults = true;
    rbl = "${key}.zrd.dq.spamhaus.net";
    no_ip = true;
    checks = ['emails', 'dkim', 'helo', 'replyto', 'urls'];
    emails_domainonly = true;
    exclude_users = false;
    returncodes = {
      ZRD_VERY_FRESH_DOMAIN = ["127.0.2.2", "127.0.2.3", "127.0.2.4"];
      ZRD_FRESH_DOMAIN = "127.0.2.%d+";
    }
  }
}
`
}
