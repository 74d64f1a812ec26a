// A notice as an incoming webhook of Slack takes it: a title, an attachment for each item in the colour of its state, links
// to runbook and dashboard. Pure. What Slack gives a meaning (&, <, >) is escaped, so that no text can make up a link or
// call a channel.
import type { Notice, NoticeItem, NoticeStatus } from './notice.ts'

export type SlackMessage = Readonly<{
  text: string
  attachments: readonly Readonly<{ color: string; fallback: string; text: string; mrkdwn_in: readonly string[] }>[]
}>

const COLORS: Readonly<Record<NoticeStatus, string>> = {
  critical: '#d00000',
  warning: '#e8a317',
  info: '#2f6fde',
  resolved: '#2e8b57',
}
/** Slack folds longer lists away. */
const ITEMS = 10

export function slackMessage({ status, title, items, more }: Notice): SlackMessage {
  const untold = more + Math.max(0, items.length - ITEMS)
  const attachments = items.slice(0, ITEMS).map(item => ({
    color: COLORS[item.isOver ? 'resolved' : status],
    fallback: escaped(item.text),
    text: itemText(item),
    mrkdwn_in: ['text'],
  }))
  const rest = `and ${untold} more`
  if (untold > 0) attachments.push({ color: COLORS[status], fallback: rest, text: rest, mrkdwn_in: ['text'] })
  return { text: `*${escaped(title)}*`, attachments }
}

function itemText({ text, about, isOver, runbook, dashboard }: NoticeItem): string {
  const links = [link(runbook, 'Runbook'), link(dashboard, 'Dashboard')].filter(found => found !== '').join(' · ')
  return [`${escaped(text)}${isOver ? ' _over_' : ''}`, escaped(about.join(' · ')), links]
    .filter(line => line !== '')
    .join('\n')
}

/** A path that is no address (runbooks without a site's own place for them) is told as it is. */
function link(target: string | undefined, name: string): string {
  if (target === undefined) return ''
  return /^https?:\/\/[^\s<>|]+$/.test(target) ? `<${target}|${name}>` : `${name}: ${escaped(target)}`
}

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
