// Mail in quarantine as text for a terminal. What strangers wrote was made harmless before it came here, but for
// addresses and reasons, for which it is done here.
import type { MessageRecord } from '../../src/mail/record.ts'
import { harmless, harmlessLine } from '../../src/spool/harmless-text.ts'
import type { MessageView, ViewedPart } from '../../src/spool/message-view.ts'
import type { ListedQuarantine } from '../../src/spool/quarantine-operations.ts'
import { formatTrace } from '../../src/spool/trace.ts'
import { span } from './queue-text.ts'

export function listLine(one: ListedQuarantine, now: number): string {
  const { queueId, acceptedAt, sender, recipient, subject = '', why = '' } = one
  const age = span(now - acceptedAt).padStart(4)
  return `${queueId}  ${age}  <${harmlessLine(sender)}> <${harmlessLine(recipient)}>  ${JSON.stringify(subject)}  (${harmlessLine(why)})\n`
}

export function showText({ record, view }: Readonly<{ record: MessageRecord; view: MessageView }>): string {
  return [
    harmless(formatTrace(record)),
    '\nHeader\n',
    ...view.header.map(({ name, value }) => `  ${name}: ${value}\n`),
    '\nParts\n',
    ...view.parts.map(partLine),
    ...view.parts.filter(({ text }) => text !== undefined).map(partText),
    ...view.notes.map(note => `\n(${note})\n`),
  ].join('')
}

function partLine(part: ViewedPart): string {
  const { path, type, filename, size, charset, encoding, note } = part
  const about = [
    ...(filename === undefined ? [] : [JSON.stringify(filename)]),
    ...(charset === undefined ? [] : [charset]),
    ...(encoding === undefined ? [] : [encoding]),
    `${size} octets`,
    ...(note === undefined ? [] : [note]),
  ]
  return `  ${(path || '-').padEnd(8)}${type}  ${about.join(', ')}\n`
}

/** Behind a bar, so that no line of it can pass for one of ours. */
function partText({ path, type, text = '' }: ViewedPart): string {
  const lines = text.replace(/\n+$/, '').split('\n')
  return `\nPart ${path || '-'} (${type}) as text\n${lines.map(line => `  | ${line}\n`).join('')}`
}
