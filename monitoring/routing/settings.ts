// Who is told of alerts and how: the schema of monitoring/routing.yaml, in which every key but the addresses has a
// default. Secrets stand in files of their own. A file with a mistake is refused as a whole, every problem with its place.
// Rules that concern several keys, and the gateway itself, are in settings-rules.ts.
import { z } from 'zod'
import { duration } from '../../src/platform/config-fields.ts'
import { loadSettingsFile, parseSettingsText } from '../settings-file.ts'
import { contradictions, type Gateway } from './settings-rules.ts'
import { type Hours, parseTimes, parseWeekdays } from './week.ts'

const ALWAYS: Hours = { start: 0, end: 1440 }

/** Text for people, read by `parse`, whose RangeError is the problem that is reported. */
function readBy<Written extends z.ZodType<string | string[]>, Value>(
  written: Written,
  parse: (text: z.output<Written>) => Value,
) {
  return written.transform((text, context) => {
    try {
      return parse(text)
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message })
      return z.NEVER
    }
  })
}

const weekdays = () =>
  readBy(z.union([z.string(), z.array(z.string()).min(1)]), parseWeekdays).prefault('monday:sunday')
const times = () => readBy(z.string(), parseTimes).optional()
const hours = { weekdays: weekdays(), times: times().transform(written => written ?? ALWAYS) }
const address = () => z.email('expected an e-mail address such as ops@example.com')
const url = () => z.url({ protocol: /^https?$/, error: 'expected an address such as https://hc.example.com/ping/1' })
const name = () => z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'expected a short name: small letters, digits and hyphens')
const shift = z.strictObject({ who: name(), ...hours })
const channel = () => z.string().regex(/^[#@].+/, 'expected a channel such as #elemta-alerts, or @somebody, in quotes')

const email = z.strictObject({
  from: address(),
  to: z.array(address()).min(1).describe('Critical alerts, whoever is on call'),
  smarthost: z
    .string()
    .regex(/^(\[[0-9a-f:.]+\]|[^:[\]\s]+):\d{1,5}$/i, 'expected HOST:PORT, such as smtp.example.com:587')
    .describe('A mail server that is not the gateway which the alerts are about'),
  tls: z.boolean().prefault(true).describe('STARTTLS is a must'),
  hello: z.string().min(1).prefault('localhost').describe('Our name in EHLO'),
  user: z.string().min(1).optional(),
  password_file: z.string().min(1).optional().describe('Read by Alertmanager for every message'),
})

const slack = z.strictObject({
  webhook_url_file: z.string().min(1).describe('Holds the incoming webhook’s URL; read by Alertmanager'),
  critical: channel().prefault('#elemta-alerts'),
  warning: channel().prefault('#elemta-alerts'),
  info: channel().optional().describe('Without it nobody is told'),
})

const deadMansSwitch = z.strictObject({
  url: url().optional(),
  url_file: z.string().min(1).optional().describe('Holds the URL; read when the configuration is written'),
  every: duration().prefault('1m').describe('Between two signs of life, at most; 1m to 5m'),
})

export const routingSchema = z.strictObject({
  email: email.optional(),
  slack: slack.optional(),
  dead_mans_switch: deadMansSwitch.optional(),
  grouping: z
    .strictObject({
      wait: duration().prefault('30s').describe('For more alerts of the same name and severity'),
      interval: duration().prefault('5m').describe('Before news of a group that was told of'),
      repeat_critical: duration().prefault('4h'),
      repeat_warning: duration().prefault('12h'),
    })
    .prefault({}),
  escalation: z
    .strictObject({ after: duration().prefault('30m').describe('A critical alert fires: the second in line is told') })
    .prefault({}),
  warnings: z
    .strictObject({ only_during: z.strictObject(hours).optional().describe('At other times they wait') })
    .prefault({}),
  on_call: z
    .strictObject({
      time_zone: z.string().prefault('UTC').describe('Of all hours in this file'),
      people: z.record(name(), z.strictObject({ email: address(), slack: channel().optional() })).prefault({}),
      first: z.array(shift).prefault([]).describe('Told of critical alerts at once'),
      second: z.array(shift).prefault([]).describe('Told of critical alerts that go on'),
    })
    .prefault({}),
  maintenance: z
    .array(
      z.strictObject({
        name: name(),
        date: z.iso.date('expected a date such as 2027-03-14').optional().describe('Once; else every week'),
        ...hours,
      }),
    )
    .prefault([])
    .describe('Nobody is told of anything; the dead-man’s switch goes on'),
})

/** Durations in milliseconds, hours in minutes since midnight. */
export type RoutingSettings = Readonly<z.output<typeof routingSchema>>
export type Shift = z.output<typeof shift>

/** The settings of a file. `gateway`: whose listeners must not carry the alerts. Throws ConfigError. */
export function loadRouting(file: string, gateway?: Gateway): RoutingSettings {
  return loadSettingsFile(routingSchema, file, settings => contradictions(settings, gateway))
}

/** The same for text; `file` is what problems call it. */
export function parseRouting(text: string, file = 'routing.yaml', gateway?: Gateway): RoutingSettings {
  return parseSettingsText(routingSchema, text, file, settings => contradictions(settings, gateway))
}
