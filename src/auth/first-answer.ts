// Several authenticators as one: users in a file and in a directory. The first that knows user and password decides.
// "No" is only said when all of them said so: who could not be asked might have said yes, so that is "unavailable".
import type { AuthAnswer, Authenticator } from './authenticator.ts'

/** Asks in the order given. */
export function firstAnswer(authenticators: readonly Authenticator[]): Authenticator {
  return {
    async verify(user, password) {
      let answer: AuthAnswer = { outcome: 'failure' }
      for (const authenticator of authenticators) {
        const given = await authenticator.verify(user, password)
        if (given.outcome === 'success') return given
        if (given.outcome === 'unavailable') answer = given
      }
      return answer
    },
    async close() {
      await Promise.all(authenticators.map(each => each.close()))
    },
  }
}
