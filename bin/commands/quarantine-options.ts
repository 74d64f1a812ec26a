// How `elemta quarantine` reads its options.
import { EXIT, ExitError } from '../../src/platform/exit.ts'
import type { Kind } from '../../src/scan/learn.ts'
import { bareAddress } from './arguments.ts'

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

/** Without the options that are not given. */
export function filterOf({ domain, sender, recipient, why }: FilterOptions): Record<string, string> {
  return {
    ...(domain !== undefined && { domain }),
    ...(sender !== undefined && { sender: bareAddress(sender) }),
    ...(recipient !== undefined && { recipient: bareAddress(recipient) }),
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
    ...(to && { recipients: to.map(bareAddress) }),
    ...(allRecipients && { allRecipients }),
    ...(dryRun && { dryRun }),
  }
}
