// What a check of the running monitoring finds: one line of what is the case, and every problem as a sentence for people
// that says what is wrong, where, and what to do. A note is worth reading and no reason to fail.

export type Check = Readonly<{
  name: string
  summary: string
  problems: readonly string[]
  notes?: readonly string[]
}>

/** Whose address nobody answers: told once, by the check of that part. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable'
}

const PATIENCE = 30_000

/** The JSON that `url` answers, whatever its status. Throws Unreachable when nobody does, or it is no JSON. */
export async function askJson(url: string, init: RequestInit = {}): Promise<unknown> {
  const text = await askText(url, init)
  try {
    return JSON.parse(text)
  } catch {
    throw new Unreachable(`${url} does not answer with JSON: ${text.slice(0, 100).trim() || 'nothing at all'}`)
  }
}

/** The same for text. */
export async function askText(url: string, init: RequestInit = {}): Promise<string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE), ...init })
    return await response.text()
  } catch (error) {
    const { message, cause } = error as Error
    const code = (cause as { code?: string } | undefined)?.code
    throw new Unreachable(`nobody answers at ${url} (${code ?? message})`)
  }
}

/** `3 problems`, `1 panel`. */
export const plural = (count: number, word: string) => `${count} ${word}${count === 1 ? '' : 's'}`
