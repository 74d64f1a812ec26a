// The plugin contract: a program of one's own that has a say while a client waits. A plugin is a function of its
// configuration that returns hooks; each hook looks at what is known so far and decides, or has nothing to say.
// Deadline, counting, ordering and dry run are the chain's: a hook may throw or hang, the client then hears 451.
import type { Client } from '../mail/envelope.ts'
import { type Reply, reply } from '../mail/reply.ts'
import type { HeaderField } from '../mail/verdict.ts'
import type { Dns } from '../platform/dns.ts'
import type { Log } from '../platform/log.ts'
import type { PolicyStore } from '../storage/policy-store.ts'
import type { PluginMetrics } from './plugin-metrics.ts'

export type MaybePromise<T> = T | Promise<T>

export type ListenerMode = 'mx' | 'submission' | 'submissions'

/** What is known of a session. */
export type SessionView = Readonly<{
  client: Client
  mode: ListenerMode
  /** Authenticated, or from one of `relay.networks`: may send to any domain. */
  trusted: boolean
  /** Why earlier plugins found something odd: every tag, and every refusal that was only logged. */
  suspicions: readonly string[]
}>

export type TransactionView = SessionView &
  Readonly<{
    queueId: string
    /** '' is the null sender. */
    reversePath: string
    /** Accepted so far. */
    recipients: readonly string[]
  }>

export type MessageView = Readonly<{
  /** Octets. */
  size: number
  /** The first octets, the header section among them (at least 64 KiB where there are so many). */
  head: Buffer
  /** All octets, in order; may be read again. */
  chunks(): AsyncIterable<Buffer>
}>

export type Decision =
  | Readonly<{ decision: 'pass' }>
  /** `reply` is told to the client, `why` to the log. A message refused is never kept. */
  | Readonly<{ decision: 'reject' | 'defer'; reply: Reply; why: string }>
  /** The message is taken, with these header fields in front (none: the suspicion is only passed on). */
  | Readonly<{ decision: 'tag'; why: string; headers: readonly HeaderField[] }>

type Answer = MaybePromise<Decision | undefined>

export type Plugin = Readonly<{
  /** Before the greeting. */
  connect?(session: SessionView): Answer
  /** At MAIL. */
  sender?(transaction: TransactionView): Answer
  /** At RCPT, for a recipient that relay control allows. */
  recipient?(transaction: TransactionView, recipient: string): Answer
  /** After the final dot, before anything is kept. */
  message?(transaction: TransactionView, message: MessageView): Answer
  /** The configuration changed or the program ends. */
  close?(): Promise<void> | void
}>

export type Hook = 'connect' | 'sender' | 'recipient' | 'message'
export const HOOKS: readonly Hook[] = ['connect', 'sender', 'recipient', 'message']

/** What a plugin may use. */
export type PluginContext = Readonly<{
  /** Its name in logs and metrics. */
  name: string
  /** Our own host name. */
  hostname: string
  log: Log
  /** Milliseconds since 1970. */
  now: () => number
  dns: Dns
  /** Shared by all processes of a deployment; spaces are the plugin's own by convention: begin them with its name. */
  store: PolicyStore
  /** Its own metrics: `elemta_plugin_<name>_<metric>`. */
  metrics: PluginMetrics
}>

/** What a plugin's module exports as default. Throws an Error that names the key when `config` makes no sense. */
export type PluginFactory = (config: unknown, context: PluginContext) => MaybePromise<Plugin>

export const pass: Decision = { decision: 'pass' }

/** 5yz: the client must not try again. `why` is for the log; by default what the client hears. */
export function reject(text: string, { code = 550, enhancedCode = '5.7.1', why = text } = {}): Decision {
  return { decision: 'reject', reply: reply(code, enhancedCode, text), why }
}

/** 4yz: the client should try again. */
export function defer(text: string, { code = 451, enhancedCode = '4.7.1', why = text } = {}): Decision {
  return { decision: 'defer', reply: reply(code, enhancedCode, text), why }
}

export function tag(why: string, headers: readonly HeaderField[] = []): Decision {
  return { decision: 'tag', why, headers }
}
