// The recipient check: who does not exist is refused at RCPT, so that nobody has to be told later. Only for our own
// domains: other recipients come from trusted clients, and who exists there is not ours to know. Trust is no exception:
// a user's typing error is better told at once. A source that cannot be asked means later, never 550.
import { domainOf } from '../mail/envelope.ts'
import { createAnswerCache } from '../platform/answer-cache.ts'
import type { PluginConfig } from '../platform/config.ts'
import type { Plugin } from '../plugins/plugin.ts'
import { callAhead } from './call-ahead.ts'
import type { PolicyContext } from './policy-context.ts'
import { decideRecipient, type RecipientAnswer, type RecipientSource } from './recipient-answer.ts'
import { createRecipientFile } from './recipient-file.ts'
import { createHttpQuestion } from './recipient-http.ts'
import { createRecipientList, createRecipientPatterns } from './recipient-list.ts'

/** Throws Error naming the key on settings that make no sense and on a file that cannot be read. */
export function createRecipients(config: PluginConfig<'recipients'>, context: PolicyContext): Plugin {
  const sources = [...localSources(config, context), ...remoteSources(config, context)]
  return {
    recipient(_transaction, recipient) {
      if (sources.length === 0 || !context.isOurs(domainOf(recipient)) || isPostmaster(recipient)) return undefined
      return decideRecipient(recipient, sources)
    },
  }
}

/** Every domain must take its mail (RFC 5321 §4.5.1). */
function isPostmaster(recipient: string): boolean {
  return /^postmaster@/i.test(recipient)
}

function localSources(config: PluginConfig<'recipients'>, context: PolicyContext): RecipientSource[] {
  const { addresses, file, patterns } = config
  const listed = createRecipientList(addresses, n => `recipients: addresses[${n}]`)
  const matched = createRecipientPatterns(patterns)
  const sources: RecipientSource[] = []
  if (addresses.length > 0) sources.push(recipient => answer(listed(recipient)))
  if (patterns.length > 0) sources.push(recipient => answer(matched(recipient)))
  if (file !== undefined) {
    const inFile = createRecipientFile(file, context)
    sources.push(async recipient => answer(await inFile(recipient)))
  }
  return sources
}

function answer(known: boolean): RecipientAnswer {
  return { kind: known ? 'known' : 'unknown' }
}

function remoteSources(config: PluginConfig<'recipients'>, { now, nextHop }: PolicyContext) {
  const remembered = (ask: (recipient: string) => Promise<RecipientAnswer>): RecipientSource =>
    createAnswerCache<RecipientAnswer>({
      ask,
      lifetime: ({ kind }) => lifetimeOf(kind, config.cache),
      tooMany: () => ({ kind: 'later', why: 'too many questions about recipients under way' }),
      now,
    })
  const sources: RecipientSource[] = []
  if (config.http !== undefined) sources.push(remembered(createHttpQuestion(config.http)))
  if (config.call_ahead) {
    sources.push(
      remembered(async recipient => {
        const hop = nextHop(domainOf(recipient))
        return hop === undefined ? { kind: 'no-opinion' } : callAhead(hop, recipient)
      }),
    )
  }
  return sources
}

/** Milliseconds that an answer is believed: a new mailbox must not wait long for its mail. */
function lifetimeOf(kind: RecipientAnswer['kind'], cache: number): number {
  switch (kind) {
    case 'known':
      return cache
    case 'unknown':
      return cache / 10
    case 'later':
    case 'no-opinion':
      return 0
  }
}
