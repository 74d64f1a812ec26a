// Finds mail in which a stranger wears the name of somebody here, as in `From: Anna Chief <a.chief@freemail.example>`:
// how most frauds by "the boss" begin. Tagged by default, refused with `action: reject`.
//   plugins:
//     - name: ./examples/plugins/borrowed-names.ts
//       config: { names: [Anna Chief, Example Bank], action: tag }
import { headerLength, valuesOf } from '../../src/mail/header.ts'
import { type PluginFactory, pass, reject, tag } from '../../src/plugins/plugin.ts'

type Settings = Readonly<{ names?: unknown; action?: unknown }>

const borrowedNames: PluginFactory = (config, { metrics }) => {
  const { names, action = 'tag' } = config as Settings
  if (!isListOfText(names) || names.length === 0) throw new Error('names: expected a list such as [Anna Chief]')
  if (action !== 'tag' && action !== 'reject') throw new Error('action: expected tag or reject')
  const found = metrics.counter('found_total', 'Messages of strangers under a name of ours')

  return {
    message({ trusted }, { head }) {
      // Who may send to everybody here, may do so under any name.
      if (trusted) return pass
      const shown = letters(decoded(displayName(head)))
      const name = names.find(candidate => shown.includes(letters(candidate)))
      if (name === undefined) return pass
      found.inc()
      const why = `the sender calls itself ${name}`
      if (action === 'reject') return reject('This name is not yours to use', { why })
      return tag(why, [{ name: 'X-Borrowed-Name', value: name }])
    },
  }
}

export default borrowedNames

/** What stands before the address in From. */
function displayName(head: Buffer): string {
  const [value = ''] = valuesOf(head.subarray(0, headerLength(head)), 'from')
  return value.slice(0, Math.max(0, value.lastIndexOf('<')))
}

/** Encoded words (RFC 2047) in UTF-8, which is what nearly all are. */
function decoded(text: string): string {
  return text.replaceAll(/=\?utf-8\?([bq])\?([^?]*)\?=\s*/gi, (_, encoding: string, word: string) => {
    if (encoding.toLowerCase() === 'b') return Buffer.from(word, 'base64').toString('utf8')
    const octets = word
      .replaceAll('_', ' ')
      .replaceAll(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    return Buffer.from(octets, 'latin1').toString('utf8')
  })
}

/** So that neither case, accents, quotes nor dots hide a name. */
function letters(text: string): string {
  return text
    .normalize('NFKD')
    .replaceAll(/[^\p{L}\p{N}]/gu, '')
    .toLowerCase()
}

function isListOfText(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(item => typeof item === 'string' && item !== '')
}
