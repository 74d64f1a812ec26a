// What must not be in monitoring/routing.yaml although each key is right by itself: a smarthost that is the gateway, an
// alert that reaches nobody, a rotation with a hole, people who are not there, unknown time zones.
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import ipaddr from 'ipaddr.js'
import type { Contradiction } from '../settings-file.ts'
import type { RoutingSettings, Shift } from './settings.ts'
import { gaps, spansOf } from './week.ts'

/** Of the gateway's own configuration, what tells its listeners. */
export type Gateway = Readonly<{ hostname: string; listeners: readonly Readonly<{ address: string; port: number }>[] }>

/** Names of the gateway within container networks, where it answers on any of its ports. */
const SERVICE_NAMES = ['elemta']
const FROM_MINUTE = 60_000
const TO_MINUTES = 5 * FROM_MINUTE

/** All of them; empty when the settings make sense. */
export function contradictions(settings: RoutingSettings, gateway?: Gateway): Contradiction[] {
  return [
    ...emailRules(settings, gateway),
    ...deadMansSwitchRules(settings),
    ...onCallRules(settings),
    ...dateRules(settings),
  ]
}

function emailRules({ email, slack }: RoutingSettings, gateway: Gateway | undefined): Contradiction[] {
  if (email === undefined) {
    return slack === undefined
      ? [{ path: [], message: 'nobody would be told of anything: email or slack is needed' }]
      : []
  }
  const wrong: Contradiction[] = []
  if (gateway && isOwnListener(email.smarthost, gateway)) {
    const message =
      `${email.smarthost} is the gateway that the alerts are about: when it fails, the message that says so would be ` +
      'stuck in it. Name a mail server that does not send through it'
    wrong.push({ path: ['email', 'smarthost'], message })
  }
  if ((email.user === undefined) !== (email.password_file === undefined)) {
    wrong.push({ path: ['email', 'user'], message: 'user and password_file belong together' })
  }
  return wrong
}

/** Whether this HOST:PORT leads to one of the gateway's listeners, as far as names and addresses can tell. */
export function isOwnListener(smarthost: string, { hostname, listeners }: Gateway): boolean {
  const at = smarthost.lastIndexOf(':')
  const host = smarthost
    .slice(0, at)
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase()
  // Under its own name any port may be mapped to a listener.
  if ([hostname.toLowerCase(), ...SERVICE_NAMES].includes(host)) return true
  const port = Number(smarthost.slice(at + 1))
  return listeners.some(listener => {
    if (listener.port !== port) return false
    if (isEverywhere(listener.address)) return isThisMachine(host)
    return sameAddress(listener.address, host) || (isLoopback(listener.address) && isLoopback(host))
  })
}

const isEverywhere = (address: string) => address === '0.0.0.0' || address === '::'

function isLoopback(host: string): boolean {
  if (host === 'localhost' || host.endsWith('.localhost')) return true
  return isIP(host) !== 0 && ipaddr.process(host).range() === 'loopback'
}

function isThisMachine(host: string): boolean {
  const own = Object.values(networkInterfaces()).flatMap(addresses => addresses ?? [])
  return isLoopback(host) || isEverywhere(host) || own.some(({ address }) => sameAddress(address, host))
}

function sameAddress(one: string, other: string): boolean {
  if (isIP(one) === 0 || isIP(other) === 0) return one.toLowerCase() === other
  return ipaddr.process(one).toNormalizedString() === ipaddr.process(other).toNormalizedString()
}

function deadMansSwitchRules({ dead_mans_switch: settings }: RoutingSettings): Contradiction[] {
  if (settings === undefined) return []
  const wrong: Contradiction[] = []
  if ((settings.url === undefined) === (settings.url_file === undefined)) {
    wrong.push({ path: ['dead_mans_switch'], message: 'needs either url or url_file' })
  }
  if (settings.every < FROM_MINUTE || settings.every > TO_MINUTES) {
    wrong.push({ path: ['dead_mans_switch', 'every'], message: 'must be between 1m and 5m' })
  }
  return wrong
}

function onCallRules({
  email,
  slack,
  on_call: { time_zone, people, first, second },
}: RoutingSettings): Contradiction[] {
  const wrong: Contradiction[] = []
  if (!isTimeZone(time_zone)) {
    const message = `there is no time zone ${JSON.stringify(time_zone)}: expected one such as Europe/Berlin or UTC`
    wrong.push({ path: ['on_call', 'time_zone'], message })
  }
  for (const [line, shifts] of Object.entries({ first, second })) {
    for (const [n, { who }] of shifts.entries()) {
      if (people[who]) continue
      wrong.push({ path: ['on_call', line, n, 'who'], message: `${who} is not among on_call.people` })
    }
    const holes = shifts.length > 0 ? gaps(shifts.flatMap(spansOfShift)) : []
    if (holes.length > 0) {
      const more = holes.length > 1 ? `, nor at ${holes.length - 1} more times` : ''
      wrong.push({ path: ['on_call', line], message: `nobody is ${line} in line on ${holes[0]}${more}` })
    }
  }
  for (const [name, person] of Object.entries(people)) {
    if (email === undefined)
      wrong.push({ path: ['on_call', 'people', name], message: 'cannot be told: email is not set' })
    if (slack !== undefined || person.slack === undefined) continue
    wrong.push({ path: ['on_call', 'people', name, 'slack'], message: 'cannot be told: slack is not set' })
  }
  return wrong
}

export const spansOfShift = ({ weekdays, times }: Pick<Shift, 'weekdays' | 'times'>) => spansOf(weekdays, times)

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) !== undefined
  } catch {
    return false
  }
}

function dateRules({ maintenance }: RoutingSettings): Contradiction[] {
  const everyDay = 7
  return maintenance.flatMap(({ date, weekdays }, n) =>
    date !== undefined && weekdays.length < everyDay
      ? [{ path: ['maintenance', n], message: 'date and weekdays exclude each other' }]
      : [],
  )
}
