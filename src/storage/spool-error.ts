// The one error for "the spool cannot be used": what happened, where, and what to do about it.
// It is meant for the person who starts the program; nobody else can repair what it tells of.

/** The spool cannot be opened, or must not be. Its message is a whole explanation; `cause` is for the log. */
export class SpoolError extends Error {
  override readonly name = 'SpoolError'
  /** The file or directory that it is about. */
  readonly path: string
  constructor(path: string, what: string, whatToDo: string, options?: ErrorOptions) {
    super(`${path}: ${what}. ${whatToDo}`, options)
    this.path = path
  }
}
