// What our own session policies get besides what any plugin has: the catalogue of metrics and what the gateway knows
// of its domains and routes.

import type { Metrics } from '../platform/metrics.ts'
import type { PluginContext } from '../plugins/plugin.ts'

/** A server that mail for a domain goes to, and that can be asked. */
export type AskedHop = Readonly<{
  /** `smtp://127.0.0.1:25`, for people. */
  name: string
  /**
   * Connects, says hello and what else comes before MAIL, as delivery would. Rejects with an Error for people, or with
   * the signal's reason, which ends the dialogue later on too.
   */
  open(signal: AbortSignal): Promise<HopDialogue>
}>

export type HopReply = Readonly<{ code: number; lines: readonly string[] }>

export type HopDialogue = Readonly<{
  /** EHLO keywords in upper case. */
  extensions: Readonly<{ has(keyword: string): boolean }>
  /** A command without its CRLF, and the reply to it. Rejects as `open` does. */
  say(command: string): Promise<HopReply>
  /** Says goodbye; nobody waits for it. */
  leave(): void
}>

export type PolicyContext = PluginContext &
  Readonly<{
    catalogue: Metrics
    /** True for a domain that mail is taken for from anybody. */
    isOurs(domain: string): boolean
    /** Undefined where there is no server that can be asked. */
    nextHop(domain: string): AskedHop | undefined
  }>
