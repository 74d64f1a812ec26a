// Plugins in their order, asked one after the other. The first that refuses decides; what others find odd is gathered.
// Each hook has a deadline and is counted and timed; one that throws, hangs or answers nonsense is 451 to the client
// (unknown means later), never an acceptance and never the end of the process. In `mode: log` nothing is refused:
// what would have been is told in the log and passed on as a suspicion.
// What needs no waiting costs no waiting: hooks that answer at once keep the session synchronous.
import { headerField } from '../mail/header-value.ts'
import { type Reply, replyForError, replyText, tryAgainLater } from '../mail/reply.ts'
import type { HeaderField } from '../mail/verdict.ts'
import type { Log } from '../platform/log.ts'
import type { Metrics } from '../platform/metrics.ts'
import type { Decision, Hook, MaybePromise, MessageView, Plugin, SessionView, TransactionView } from './plugin.ts'

export type ChainedPlugin = Readonly<{
  name: string
  plugin: Plugin
  mode: 'enforce' | 'log'
  /** Milliseconds for one hook. */
  timeout: number
}>

export type Refusal = Readonly<{ plugin: string; reply: Reply; why: string }>

export type Outcome = Readonly<{
  refusal?: Refusal
  /** Reasons of tags, and of refusals that were only logged. */
  suspicions: readonly string[]
  /** What tags want in front of the message. */
  headers: readonly HeaderField[]
}>

export type Chain = Readonly<{
  connect(session: SessionView): MaybePromise<Outcome>
  sender(transaction: TransactionView): MaybePromise<Outcome>
  recipient(transaction: TransactionView, recipient: string): MaybePromise<Outcome>
  message(transaction: TransactionView, message: MessageView): MaybePromise<Outcome>
  /** True when some plugin has this hook. */
  asks(hook: Hook): boolean
  close(): Promise<void>
}>

export const PLUGIN_OUTCOMES = ['pass', 'tag', 'reject', 'defer', 'log', 'error', 'timeout'] as const
type PluginOutcome = (typeof PLUGIN_OUTCOMES)[number]

const NOTHING: Outcome = { suspicions: [], headers: [] }

/** What came of one hook: its decision, or the fault that makes the client come back later. */
type Answer = Readonly<{ decision: Decision; outcome?: 'error' | 'timeout' }>

const PASS: Answer = { decision: { decision: 'pass' } }

export function createChain(
  plugins: readonly ChainedPlugin[],
  { log, metrics }: Readonly<{ log: Log; metrics: Metrics }>,
): Chain {
  const counters = new Map(plugins.map(({ name }) => [name, countersOf(name, metrics)]))
  const count = (name: string, outcome: PluginOutcome, startedAt: number) => {
    const { executions, time } = counters.get(name)!
    executions[outcome].inc()
    time.observe((performance.now() - startedAt) / 1000)
  }

  const having = (hook: Hook) => plugins.filter(({ plugin }) => plugin[hook] !== undefined)
  const asked = {
    connect: having('connect'),
    sender: having('sender'),
    recipient: having('recipient'),
    message: having('message'),
  }

  function ask(hook: Hook, view: SessionView, call: (plugin: Plugin, view: SessionView) => unknown) {
    return next(0, NOTHING)

    /** Asks from the nth on, synchronously as far as it goes. */
    function next(n: number, sofar: Outcome): MaybePromise<Outcome> {
      const entry = asked[hook][n]
      if (entry === undefined) return sofar
      const seen = sofar.suspicions.length === 0 ? view : withSuspicions(view, sofar.suspicions)
      const startedAt = performance.now()
      const answer = answerOf(entry, hook, () => call(entry.plugin, seen))
      const take = ({ decision, outcome }: Answer): MaybePromise<Outcome> => {
        const refused = decision.decision === 'reject' || decision.decision === 'defer'
        const dry = refused && entry.mode === 'log'
        count(entry.name, outcome ?? (dry ? 'log' : decision.decision), startedAt)
        if (decision.decision === 'pass') return next(n + 1, sofar)
        const { why } = decision
        if (decision.decision === 'tag') return next(n + 1, gather(sofar, why, decision.headers))
        if (!dry) return { ...sofar, refusal: { plugin: entry.name, reply: decision.reply, why } }
        log.info({ ...about(seen), hook, plugin: entry.name, reply: replyText(decision.reply), why }, 'would-refuse')
        // A fault says nothing about the client.
        return next(n + 1, outcome === undefined ? gather(sofar, why, []) : sofar)
      }
      return answer instanceof Promise ? answer.then(take) : take(answer)
    }
  }

  /** Ends within the plugin's deadline, whatever it does. */
  async function closePlugin({ name, plugin, timeout }: ChainedPlugin): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const tooLate = new Promise<void>(resolve => {
      timer = setTimeout(() => {
        log.error({ plugin: name, hook: 'close', milliseconds: timeout }, 'plugin-timeout')
        resolve()
      }, timeout)
    })
    const closing = (async () => plugin.close?.())()
    const closed = closing.catch(error => log.error({ plugin: name, hook: 'close', err: error }, 'plugin-failed'))
    await Promise.race([closed, tooLate])
    clearTimeout(timer)
  }

  function answerOf({ name, timeout }: ChainedPlugin, hook: Hook, call: () => unknown): MaybePromise<Answer> {
    const failed = (error: unknown): Answer => {
      log.error({ plugin: name, hook, err: error }, 'plugin-failed')
      return { decision: later(replyForError(error)), outcome: 'error' }
    }
    const read = (decision: unknown): Answer => {
      if (decision === undefined) return PASS
      return isDecision(decision) ? { decision } : failed(new Error('the plugin answered what is no decision'))
    }
    try {
      const answer = call()
      if (!isThenable(answer)) return read(answer)
      return new Promise(resolve => {
        const timer = setTimeout(() => {
          log.error({ plugin: name, hook, milliseconds: timeout }, 'plugin-timeout')
          resolve({ decision: later(tryAgainLater), outcome: 'timeout' })
        }, timeout)
        void Promise.resolve(answer)
          .then(read, failed)
          .then(result => {
            clearTimeout(timer)
            resolve(result)
          })
      })
    } catch (error) {
      return failed(error)
    }
  }

  return {
    connect: session => ask('connect', session, (plugin, view) => plugin.connect?.(view)),
    sender: transaction => ask('sender', transaction, (plugin, view) => plugin.sender?.(view as TransactionView)),
    recipient: (transaction, recipient) =>
      ask('recipient', transaction, (plugin, view) => plugin.recipient?.(view as TransactionView, recipient)),
    message: (transaction, message) =>
      ask('message', transaction, (plugin, view) => plugin.message?.(view as TransactionView, message)),
    asks: hook => asked[hook].length > 0,
    async close() {
      await Promise.all(plugins.map(closePlugin))
    },
  }
}

/** Looked up once: every command of every client is counted. */
function countersOf(name: string, { pluginExecutions, pluginTime }: Metrics) {
  const executions = Object.fromEntries(
    PLUGIN_OUTCOMES.map(outcome => [outcome, pluginExecutions.labels(name, outcome)]),
  ) as Record<PluginOutcome, ReturnType<typeof pluginExecutions.labels>>
  for (const counter of Object.values(executions)) counter.inc(0)
  return { executions, time: pluginTime.labels(name) }
}

/** An error that knows its reply may be one that is final. */
function later(reply: Reply): Decision {
  return { decision: reply.code >= 500 ? 'reject' : 'defer', reply, why: 'the plugin failed' }
}

/** Values are made fit for a header: a plugin may put into them what a client said. */
function gather({ suspicions, headers }: Outcome, why: string, more: readonly HeaderField[]): Outcome {
  const safe = more.map(({ name, value }) => headerField(name, value)).filter(field => field !== undefined)
  return { suspicions: [...suspicions, why], headers: [...headers, ...safe] }
}

function withSuspicions<V extends SessionView>(view: V, suspicions: readonly string[]): V {
  return { ...view, suspicions: [...view.suspicions, ...suspicions] }
}

function about(view: SessionView): Readonly<Record<string, unknown>> {
  const { queueId, reversePath } = view as Partial<TransactionView>
  const { address, helo } = view.client
  return {
    ...(queueId !== undefined && { queueId }),
    client: address,
    helo,
    ...(queueId !== undefined && { reversePath }),
  }
}

/** Plugins may bring promises that are not ours. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return isObject(value) && 'then' in value
}

function isDecision(value: unknown): value is Decision {
  if (!isObject(value)) return false
  const { decision, reply, why, headers } = value
  if (decision === 'pass') return true
  if (typeof why !== 'string') return false
  if (decision === 'tag') return Array.isArray(headers) && headers.every(isField)
  const codeClass = decision === 'reject' ? 5 : decision === 'defer' ? 4 : undefined
  if (!isObject(reply) || typeof reply.text !== 'string') return false
  const { code, enhancedCode } = reply
  if (!Number.isInteger(code) || Math.floor(Number(code) / 100) !== codeClass) return false
  return enhancedCode === '' || (typeof enhancedCode === 'string' && enhancedCode.startsWith(`${codeClass}.`))
}

function isField(value: unknown): boolean {
  return isObject(value) && headerField(String(value.name), '') !== undefined && typeof value.value === 'string'
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
