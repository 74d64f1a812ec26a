// How a session asks something that may fail, hang or take its time: storage, or a policy. Whatever happens, the client
// gets exactly one reply in time, and an unexpected error is 451, never a refusal (unknown means later).
// What needs no waiting costs no waiting: a synchronous answer stays synchronous.
import { type Reply, replyForError, tryAgainLater } from '../mail/reply.ts'
import type { Log } from '../platform/log.ts'

export type MaybePromise<T> = T | Promise<T>

/** Goes on with a value now, or with a promise's value when it has one. */
export function when<T, U>(value: MaybePromise<T>, next: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value)
}

export type Deadline = Readonly<{ milliseconds: number; log: Log; what: string }>

/**
 * Runs `question` and returns what it answers. 451 when it throws or rejects (or what its SmtpError says), and 451 when
 * the deadline passes; what it says later is logged and changes nothing. Never throws, never rejects.
 */
export function answerOf<T extends Reply | undefined>(question: () => MaybePromise<T>, deadline: Deadline) {
  let answer: MaybePromise<T>
  try {
    answer = question()
  } catch (error) {
    return failed(error, deadline)
  }
  return isThenable(answer) ? inTime(Promise.resolve(answer), deadline) : answer
}

/** Plugins may bring promises that are not ours. */
function isThenable<T>(value: MaybePromise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value
}

function failed(error: unknown, { log, what }: Deadline): Reply {
  const reply = replyForError(error)
  log.error({ err: error, what, reply: reply.code }, 'failed')
  return reply
}

function inTime<T extends Reply | undefined>(answer: Promise<T>, deadline: Deadline): Promise<T | Reply> {
  const { milliseconds, log, what } = deadline
  return new Promise(resolve => {
    let late = false
    const timer = setTimeout(() => {
      late = true
      log.error({ what, milliseconds }, 'no-answer')
      resolve(tryAgainLater)
    }, milliseconds)
    answer.then(
      value => {
        if (late) return log.warn({ what, reply: value?.code }, 'answer-late')
        clearTimeout(timer)
        resolve(value)
      },
      (error: unknown) => {
        if (late) return log.warn({ err: error, what }, 'answer-late')
        clearTimeout(timer)
        resolve(failed(error, deadline))
      },
    )
  })
}
