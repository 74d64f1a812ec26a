// One fault, proven: its alerts are quiet, the fault is injected, each alert fires and reaches those whom the routing
// promises it to, with its value and links; the fault is healed, and they are told that it is over.
// What does not come in time is a problem in the row of its alert; nothing here throws but for being broken off.
import { setTimeout as sleep } from 'node:timers/promises'
import { alertRules } from '../../monitoring/rules/groups.ts'
import { annotationsOf } from '../../monitoring/rules/render.ts'
import type { Fault, Proof } from './fault.ts'
import type { Notification, Way } from './notifications.ts'
import type { Stack } from './stack.ts'

export type Row = Readonly<{
  alert: string
  severity: Proof['severity']
  labels: Readonly<Record<string, string>>
  fault: string
  /** Who is told. */
  to: readonly (Way | 'dead-mans-switch')[]
  fired: boolean
  routed: boolean
  resolved: boolean
  /** From the fault, or its end for what comes after it, to the last of those who are told; of the end likewise. */
  detectSeconds?: number
  resolveSeconds?: number
  problems: readonly string[]
}>

/** Between two looks. */
const LOOK_INTERVAL = 200
/** For each step, unless given. */
const PATIENCE = 75_000

export type Proving = Readonly<{ signal: AbortSignal /** Milliseconds for each step. */; patience?: number }>

/** Whom the routing promises it to. Information is for Alertmanager’s own page. */
const WAYS: Readonly<Record<Proof['severity'], readonly Way[]>> = {
  critical: ['mail', 'slack'],
  warning: ['slack'],
  info: [],
}

export async function proveFault(fault: Fault, stack: Stack, proving: Proving): Promise<Row[]> {
  const proofs = fault.proves.map(proof => startProof(proof, fault, stack, proving))
  try {
    await fault.prepare?.(stack)
    await Promise.all(proofs.map(proof => proof.quiet()))
    const injectedAt = Date.now()
    await fault.inject(stack)
    await Promise.all(proofs.filter(({ late }) => !late).map(proof => proof.told(injectedAt)))
  } catch (error) {
    proving.signal.throwIfAborted()
    for (const proof of proofs) proof.problem(`the fault could not be injected: ${(error as Error).message}`)
  }
  const healedAt = Date.now()
  try {
    await stack.still()
    await fault.heal(stack)
    await Promise.all(
      proofs.map(async proof => {
        if (proof.late) await proof.told(healedAt)
        await proof.over(proof.late ? Date.now() : healedAt)
      }),
    )
  } catch (error) {
    proving.signal.throwIfAborted()
    for (const proof of proofs) proof.problem(`the fault could not be healed: ${(error as Error).message}`)
  }
  return proofs.map(proof => proof.row())
}

function startProof(proof: Proof, { what }: Fault, stack: Stack, proving: Proving) {
  const { alert, severity, labels = {} } = proof
  const ways = WAYS[severity]
  const problems: string[] = []
  let [fired, routed, resolved] = [false, false, false]
  let detectSeconds: number | undefined
  let resolveSeconds: number | undefined
  let from = 0 // what was told before is of another fault

  const isOurs = (found: Readonly<Record<string, string>>) =>
    found.alertname === alert &&
    found.severity === severity &&
    found.escalation === undefined &&
    Object.entries(labels).every(([name, value]) => found[name] === value)
  const firing = async (...states: string[]) =>
    (await stack.prometheus().alerts()).some(found => states.includes(found.state) && isOurs(found.labels))
  const held = async () => (await stack.alertmanager().alerts()).filter(found => isOurs(found.labels))
  const told = (state: Notification['state'], since: number) =>
    stack
      .told()
      .filter(one => one.alert === alert && one.severity === severity && one.state === state && one.at >= since)
  const everyWay = (found: readonly Notification[]) => ways.every(way => found.some(one => one.way === way))
  const secondsSince = (then: number, until = Date.now()) => Math.round((until - then) / 100) / 10

  /** When the last way had it; undefined while one has not. */
  async function arrived(state: Notification['state'], since: number): Promise<number | undefined> {
    if (ways.length === 0) {
      const active = (await held()).some(found => found.status.state === 'active')
      return active === (state === 'firing') ? Date.now() : undefined
    }
    const found = told(state, since)
    if (!everyWay(found)) return undefined
    return Math.max(...ways.map(way => Math.min(...found.filter(one => one.way === way).map(one => one.at))))
  }

  const until = (what: string, look: () => Promise<boolean>) => waitFor(look, { ...proving, problems, what })

  return {
    late: proof.afterHealing === true,
    problem: (text: string) => void problems.push(text),

    async quiet() {
      await until(
        'it was not quiet before',
        async () => !(await firing('pending', 'firing')) && (await held()).length === 0,
      )
    },

    async told(since: number) {
      from = since
      fired = await until('it did not fire', () => firing('firing'))
      if (!fired) return
      let when: number | undefined
      routed = await until(`it did not reach ${ways.join(' and ') || 'Alertmanager'}`, async () => {
        when = await arrived('firing', from)
        return when !== undefined
      })
      if (when === undefined) return
      detectSeconds = secondsSince(since, when)
      const wrong = told('firing', from).flatMap(one => faultsIn(one, stack))
      routed = wrong.length === 0
      problems.push(...wrong)
    },

    async over(since: number) {
      if (!fired) return
      let when: number | undefined
      resolved = await until('its end was not told', async () => {
        if (await firing('firing')) return false
        when = await arrived('resolved', since)
        return when !== undefined
      })
      if (when !== undefined) resolveSeconds = secondsSince(since, when)
    },

    row: (): Row => ({
      ...{ alert, severity, labels, fault: what, to: ways, fired, routed, resolved },
      ...(detectSeconds !== undefined && { detectSeconds }),
      ...(resolveSeconds !== undefined && { resolveSeconds }),
      problems: [...problems, ...strays(stack.told(), alert, from)],
    }),
  }
}

type Waiting = Proving & Readonly<{ problems: string[]; what: string }>

/** True once it is so; false, and a problem, when it is not in time. What cannot be asked now is asked again. */
export async function waitFor(
  look: () => Promise<boolean>,
  { problems, what, signal, patience = PATIENCE }: Waiting,
): Promise<boolean> {
  let cause = ''
  for (const since = Date.now(); Date.now() - since < patience; await sleep(LOOK_INTERVAL, undefined, { signal })) {
    try {
      if (await look()) return true
    } catch (error) {
      cause = `: ${(error as Error).message}`
    }
    signal.throwIfAborted()
  }
  problems.push(`${what} within ${patience / 1000} s${cause}`)
  return false
}

/** What a notification lacks of what a person at night needs. */
function faultsIn({ alert, severity, way, text }: Notification, { settings }: Stack): string[] {
  const rules = alertRules(settings).filter(rule => rule.name === alert && rule.severity === severity)
  const { runbook_url: runbook, dashboard_url: dashboard } = annotationsOf(rules[0]!, settings.links)
  const says = rules.some(({ description }) => templatePattern(description).test(text))
  return [
    ...(says ? [] : [`${way}: no description with its value`]),
    ...(text.includes(runbook) ? [] : [`${way}: no link to the runbook`]),
    ...(text.includes(dashboard) ? [] : [`${way}: no link to the dashboard`]),
    ...(/<no value>|<error|%!/.test(text) ? [`${way}: a value is missing`] : []),
  ]
}

/** Whom it must not have reached: mail is for what is critical, information for nobody, and each has its channel. */
export function strays(all: readonly Notification[], alert: string, since: number): string[] {
  const firing = all.filter(one => one.alert === alert && one.state === 'firing' && one.at >= since)
  const wrong = firing.filter(({ way, severity, title }) => {
    const said = /^\[([A-Z]+)\]/.exec(title)?.[1]?.toLowerCase() as Proof['severity']
    return severity !== said || !WAYS[said]?.includes(way)
  })
  return [
    ...new Set(wrong.map(({ way, severity, title }) => `it went astray by ${way}, to those for ${severity}: ${title}`)),
  ]
}

/** Matches what a template of a description can become; what stands in `with` and `if` may be anything. */
export function templatePattern(template: string): RegExp {
  const plain = template.replace(/\{\{-?\s*(with|if|range)[\s\S]*\{\{-?\s*end\s*-?\}\}/, '{{ . }}')
  const parts = plain
    .split(/\{\{.*?\}\}/)
    .map(part => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll(/\s+/g, '\\s+'))
  return new RegExp(parts.join('[\\s\\S]{1,200}?'))
}
