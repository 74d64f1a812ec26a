// Who is at work on a home that several may have open, and whether its mail is just being moved away. Marks in the policy
// store, each with its end: those at work renew theirs, and what died is forgotten by itself. A move is refused while
// somebody is at work, and nobody begins to work during a move. Marks only keep people from mistakes: that no job is done
// twice is held by its lease.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { EXIT, ExitError } from '../platform/exit.ts'
import type { Log } from '../platform/log.ts'
import type { PolicyStore } from '../storage/policy-store.ts'

const SPACE = 'home'
const AT_WORK = 'at-work/'
const MOVE = 'move'
/** Milliseconds: for so long a mark is believed, and so often it is renewed. */
const LIFETIME = 180_000
const RENEWAL = 60_000
/** Milliseconds that the beginning of work waits for the store. */
const PATIENCE = 3000

export type Parts = Readonly<{ store: PolicyStore; now: () => number; log: Log }>

/** Says that a role works on the home now. A store that fails is told, and keeps nobody from his work. */
export async function sayAtWork({ store, now, log }: Parts, name: string): Promise<void> {
  const mark = () => ({ value: { name }, expiresAt: now() + LIFETIME })
  await store.update(SPACE, AT_WORK + name, now(), mark).catch(error => log.warn({ why: String(error) }, 'mark-failed'))
}

/**
 * Says so until it is stopped. Throws ExitError while the home's mail is being moved away; where nobody knows, the work
 * begins.
 */
export async function beginWork(parts: Parts, role: string): Promise<Readonly<{ stop(): Promise<void> }>> {
  const unknown = sleep(PATIENCE, undefined, { ref: false })
  const move = await Promise.race([moveUnderWay(parts).catch(() => undefined), unknown])
  if (move !== undefined) throw new ExitError(EXIT.temporary, `${move}: start again when that has ended`)
  const name = `${role} ${randomUUID()}`
  const said = sayAtWork(parts, name)
  const timer = setInterval(() => void sayAtWork(parts, name), RENEWAL)
  timer.unref()
  return {
    async stop() {
      clearInterval(timer)
      await said
      await parts.store.remove(SPACE, AT_WORK + name).catch(() => {})
    },
  }
}

/** Names of those that said so within the last three minutes. */
export async function whoIsAtWork({ store, now }: Omit<Parts, 'log'>): Promise<readonly string[]> {
  const marks = await store.list(SPACE, { prefix: AT_WORK, limit: 100 }, now())
  return marks.map(({ value }) => String(value.name))
}

/** Who moves mail away from the home, and since when; undefined: nobody. */
export async function moveUnderWay({ store, now }: Omit<Parts, 'log'>): Promise<string | undefined> {
  const mark = await store.get(SPACE, MOVE, now())
  return mark && `${mark.value.by} moves its mail to ${mark.value.to} since ${mark.value.since}`
}

export type Move = Readonly<{ stop(): Promise<void> }>

/** Takes the right to move, and renews it until it is stopped; or says who has it. */
export async function beginMove(
  { store, now, log }: Parts,
  { by, to }: Readonly<{ by: string; to: string }>,
): Promise<Move | Readonly<{ taken: string }>> {
  const token = randomUUID()
  const value = { token, by, to, since: new Date(now()).toISOString() }
  const mark = () =>
    store.update(SPACE, MOVE, now(), current =>
      current === undefined || current.value.token === token ? { value, expiresAt: now() + LIFETIME } : undefined,
    )
  if ((await mark())?.value.token !== token) return { taken: (await moveUnderWay({ store, now })) ?? 'somebody' }
  const renew = () => void mark().catch(error => log.warn({ why: String(error) }, 'mark-failed'))
  const timer = setInterval(renew, RENEWAL)
  timer.unref()
  return {
    async stop() {
      clearInterval(timer)
      await store.remove(SPACE, MOVE)
    },
  }
}
