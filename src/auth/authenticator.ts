// Port: who may submit mail. Adapters: users-file, ldap. Never rejects, never logs a password, and takes as long for a
// user that does not exist as for a wrong password.

export type AuthAnswer =
  /** `user` is the canonical name; `addresses` those that the user may send as, absent: nothing is known about them. */
  | Readonly<{ outcome: 'success'; user: string; addresses?: readonly string[] }>
  | Readonly<{ outcome: 'failure' }>
  /** Unknown means later: 454, and no attempt is counted. `why` is for the log. */
  | Readonly<{ outcome: 'unavailable'; why: string }>

export interface Authenticator {
  verify(user: string, password: string): Promise<AuthAnswer>
  close(): Promise<void>
}
