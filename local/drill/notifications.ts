// What has reached people: messages of the smarthost and posts of Slack, read as our templates write them
// (monitoring/alertmanager/templates). What is none of ours is left out.
import type { Severity } from '../../monitoring/rules/rule.ts'
import type { HttpSink } from './http-sink.ts'
import type { SmtpSink } from './smtp-sink.ts'

export type Way = 'mail' | 'slack'

export type Notification = Readonly<{
  way: Way
  /** By the address or channel that it came to. */
  severity: Severity
  state: 'firing' | 'resolved'
  alert: string
  title: string
  text: string
  at: number // ms since 1970
}>

export const CHANNELS = { critical: '#critical', warning: '#warnings' } as const
export const SLACK_PATH = '/slack'

/** All so far, in no order. */
export function notifications(smarthost: Pick<SmtpSink, 'mail'>, web: Pick<HttpSink, 'posted'>): Notification[] {
  return [...smarthost.mail.map(readMail), ...web.posted.map(readPost)].filter(read => read !== undefined)
}

function readMail({ content, at }: SmtpSink['mail'][number]): Notification | undefined {
  const subject = /^Subject: (.*(?:\r\n[ \t].*)*)/m.exec(content)?.[1] ?? ''
  const title = decodeWords(subject).replaceAll(/\r\n[ \t]/g, ' ')
  const about = readTitle(title)
  return about && { ...about, way: 'mail', severity: 'critical', title, text: decodeQuoted(content), at }
}

type Post = Readonly<{ channel?: string; attachments?: readonly Readonly<{ title: string; text: string }>[] }>

function readPost({ path, body, at }: HttpSink['posted'][number]): Notification | undefined {
  if (path !== SLACK_PATH) return undefined
  const { channel, attachments: [{ title, text } = { title: '', text: '' }] = [] } = body as Post
  const about = readTitle(title)
  const severity = channel === CHANNELS.critical ? 'critical' : channel === CHANNELS.warning ? 'warning' : 'info'
  return about && { ...about, way: 'slack', severity, title, text, at }
}

/** `[CRITICAL] ScannerDown: clamav does not answer` */
function readTitle(title: string): Pick<Notification, 'state' | 'alert'> | undefined {
  const [, state, alert] = /^\[([A-Z]+)\] (\w+)/.exec(title) ?? []
  if (state === undefined || alert === undefined || state === 'ESCALATED') return undefined
  return { state: state === 'RESOLVED' ? 'resolved' : 'firing', alert }
}

/** RFC 2047, as Alertmanager writes it. */
function decodeWords(text: string): string {
  return text
    .replaceAll(/\?=\r\n[ \t]=\?utf-8\?q\?/gi, '')
    .replaceAll(/=\?utf-8\?q\?(.*?)\?=/gi, (_, word: string) => decodeQuoted(word.replaceAll('_', ' ')))
}

function decodeQuoted(text: string): string {
  const octets = text
    .replaceAll('=\r\n', '')
    .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(octets, 'latin1').toString('utf8')
}
