// Gathers what concurrent callers want of SQS for a few milliseconds, into requests of at most ten: SQS counts requests.
// Each caller learns of his own entry alone; when the whole request fails, all of its callers do.

/** What one request may hold. */
export const MOST = 10
/** Milliseconds that the first of a request waits for company. */
const WAIT = 3

type Failed = Readonly<{ Id?: string | undefined; Code?: string | undefined; Message?: string | undefined }>
type Answer = Readonly<{ Failed?: readonly Failed[] | undefined }>

type Pending<E> = Readonly<{ entry: E; resolve(): void; reject(error: unknown): void }>

/** What time is taken from: the computer's unless given. */
export type Timers = Readonly<{ set(run: () => void, milliseconds: number): unknown; clear(timer: unknown): void }>

const TIMERS: Timers = {
  set: (run, milliseconds) => setTimeout(run, milliseconds),
  clear: timer => clearTimeout(timer as NodeJS.Timeout),
}

/** A function that sends one entry in company, and resolves when SQS has taken it. */
export function createBatcher<E>(
  send: (entries: (E & { Id: string })[]) => Promise<Answer>,
  timers: Timers = TIMERS,
): (entry: E) => Promise<void> {
  let gathered: Pending<E>[] = []
  let timer: unknown

  function flush() {
    if (timer !== undefined) timers.clear(timer)
    timer = undefined
    const batch = gathered
    gathered = []
    void deliver(batch)
  }

  async function deliver(batch: readonly Pending<E>[]): Promise<void> {
    try {
      const { Failed = [] } = await send(batch.map(({ entry }, n) => ({ ...entry, Id: String(n) })))
      const failures = new Map(Failed.map(failed => [failed.Id, failed]))
      for (const [n, { resolve, reject }] of batch.entries()) {
        const failed = failures.get(String(n))
        if (failed === undefined) resolve()
        else reject(new Error(`SQS refused an entry: ${failed.Code} ${failed.Message ?? ''}`.trimEnd()))
      }
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }

  return entry =>
    new Promise((resolve, reject) => {
      gathered.push({ entry, resolve, reject })
      if (gathered.length === MOST) flush()
      else timer ??= timers.set(flush, WAIT)
    })
}
