// rspamd's actions and what they mean once a message was accepted: nobody can be asked to come again, and nothing can
// be refused. A closed list: an owner may invent actions in rspamd's configuration, but we would not know what they want.

const MEANING = {
  'no action': 'pass',
  greylist: 'pass',
  'soft reject': 'pass',
  'add header': 'tag',
  'rewrite subject': 'tag', // the subject stays as it is: the header fields tell
  reject: 'reject',
  quarantine: 'quarantine',
  discard: 'quarantine', // only our own configuration may drop mail
} as const

export type RspamdAction = keyof typeof MEANING
export type ActionMeaning = (typeof MEANING)[RspamdAction]

export function isRspamdAction(action: string): action is RspamdAction {
  return Object.hasOwn(MEANING, action)
}

export function meaningOf(action: RspamdAction): ActionMeaning {
  return MEANING[action]
}
