// What a source says about a recipient, and what all of them together mean.
import { type Decision, defer, reject } from '../plugins/plugin.ts'

export type RecipientAnswer =
  | Readonly<{ kind: 'known' }>
  | Readonly<{ kind: 'unknown' }>
  /** It could not be asked: nothing may be refused for good because of it. */
  | Readonly<{ kind: 'later'; why: string }>
  /** It does not answer for this recipient. */
  | Readonly<{ kind: 'no-opinion' }>

/** A source of answers. Never rejects, or else the client hears 451. */
export type RecipientSource = (recipient: string) => RecipientAnswer | Promise<RecipientAnswer>

/** Asks one after the other until one knows the recipient; unknown is who all that have an opinion do not know. */
export async function decideRecipient(
  recipient: string,
  sources: readonly RecipientSource[],
): Promise<Decision | undefined> {
  let later: string | undefined
  let unknown = false
  for (const ask of sources) {
    const answer = await ask(recipient)
    if (answer.kind === 'known') return undefined
    if (answer.kind === 'later') later ??= answer.why
    if (answer.kind === 'unknown') unknown = true
  }
  if (later !== undefined) {
    const text = `<${recipient}>: cannot be verified now, try again later`
    return defer(text, { code: 450, enhancedCode: '4.1.1', why: later })
  }
  return unknown ? reject(`<${recipient}>: no such user here`, { enhancedCode: '5.1.1' }) : undefined
}
