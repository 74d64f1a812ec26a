// How `elemta quarantine` reads its options.
import { parseDuration } from '../../src/platform/config-units.ts'
import { EXIT, ExitError } from '../../src/platform/exit.ts'
import type { Kind } from '../../src/scan/learn.ts'

export type FilterOptions = Readonly<{
  domain?: string
  sender?: string
  recipient?: string
  why?: string
  since?: string
}>

export type ActOptions = FilterOptions &
  Readonly<{
    to?: readonly string[]
    allRecipients?: true
    learn?: Kind
    wait?: string
    dryRun?: true
    json?: true
    config?: string
  }>

const bare = (address: string) => address.replace(/^<(.*)>$/s, '$1')

/** Without the options that are not given. */
export function filterOf({ domain, sender, recipient, why }: FilterOptions): Record<string, string> {
  return {
    ...(domain !== undefined && { domain }),
    ...(sender !== undefined && { sender: bare(sender) }),
    ...(recipient !== undefined && { recipient: bare(recipient) }),
    ...(why !== undefined && { reason: why }),
  }
}

/** The input of an act. Throws ExitError when nothing is named. */
export function selectionOf(ids: readonly string[], options: ActOptions): Record<string, unknown> {
  const filter = filterOf(options)
  const filtered = Object.keys(filter).length > 0
  if (ids.length === 0 && !filtered) throw new ExitError(EXIT.usage, 'name queue ids or a filter')
  const { to, allRecipients, dryRun } = options
  return {
    ...(ids.length > 0 && { ids }),
    ...(filtered && { filter }),
    ...(to && { recipients: to.map(bare) }),
    ...(allRecipients && { allRecipients }),
    ...(dryRun && { dryRun }),
  }
}

export function durationOf(text: string): number {
  try {
    return parseDuration(text)
  } catch (error) {
    throw new ExitError(EXIT.usage, (error as Error).message)
  }
}
