// What the tests of session policies ask them with: a context with the real metrics, sessions and transactions of
// clients, a real resolver that knows the zones of a test and nothing else, and decisions as one line.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startUnbound } from '../../local/embedded/unbound.ts'
import { replyText } from '../../src/mail/reply.ts'
import { type BuiltinPlugin, enabledPlugin, type PluginConfig } from '../../src/platform/config.ts'
import { createDns, type Dns } from '../../src/platform/dns.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import type { Decision, MaybePromise, TransactionView } from '../../src/plugins/plugin.ts'
import { createPluginMetrics } from '../../src/plugins/plugin-metrics.ts'
import type { PolicyContext } from '../../src/policy/policy-context.ts'
import { configOf } from '../platform/parse-config.ts'

/** A resolver whose every question fails. */
export const deadDns: Dns = createDns({ servers: ['127.0.0.1:1'], timeout: 100 })

/** The settings of a policy as written in the file, with the defaults. */
export function settings<Name extends BuiltinPlugin['name']>(name: Name, config: object = {}): PluginConfig<Name> {
  return enabledPlugin(configOf(JSON.stringify({ plugins: [{ name, config }] })), name)!
}

export function contextFor(name: string, parts: Partial<PolicyContext> = {}): PolicyContext {
  const catalogue = createMetrics()
  return {
    name,
    hostname: 'mx.ours.test',
    log: silentLog,
    now: Date.now,
    dns: deadDns,
    store: undefined as never,
    metrics: createPluginMetrics(catalogue.registry, name),
    catalogue,
    isOurs: domain => domain === 'ours.test',
    nextHop: () => undefined,
    ...parts,
  }
}

type Asked = Partial<Omit<TransactionView, 'client'>> & Readonly<{ address?: string; helo?: string; user?: string }>

/** A transaction of a stranger, but for what is said otherwise; good for a session as well. */
export function from({
  address = '203.0.113.9',
  helo = 'mail.sender.test',
  user,
  ...view
}: Asked = {}): TransactionView {
  return {
    client: { address, port: 40_000, helo, esmtp: true, ...(user !== undefined && { user }) },
    mode: 'mx',
    trusted: user !== undefined,
    suspicions: [],
    queueId: 'Q1',
    reversePath: 'ann@sender.test',
    recipients: [],
    ...view,
  }
}

/** `pass`, `tag: why` or the reply. */
export async function said(answer: MaybePromise<Decision | undefined> | undefined): Promise<string> {
  const decision = (await answer) ?? { decision: 'pass' }
  switch (decision.decision) {
    case 'pass':
      return 'pass'
    case 'tag':
      return `tag: ${decision.why}`
    case 'reject':
    case 'defer':
      return replyText(decision.reply)
  }
}

export async function whyOf(answer: MaybePromise<Decision | undefined> | undefined): Promise<string | undefined> {
  const decision = await answer
  return decision === undefined || decision.decision === 'pass' ? undefined : decision.why
}

/** Lines of unbound's `local-data`, each one record. */
export function records(...lines: readonly string[]): string {
  return lines.map(line => `  local-data: '${line}'\n`).join('')
}

/** A real resolver; `zones` are lines of unbound's `server:` clause. */
export async function startDns(zones: string): Promise<{ dns: Dns; stop(): Promise<void> }> {
  const dir = mkdtempSync(join(tmpdir(), 'elemta-policy-'))
  chmodSync(dir, 0o755)
  const unbound = await startUnbound({ dir, zones, log: silentLog })
  return {
    dns: createDns({ servers: [`127.0.0.1:${unbound.port}`], timeout: 5000 }),
    async stop() {
      await unbound.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
