// What is on record about a message that is being handed over: the mark that its final dot goes out, set directly
// before. A crash between the dot and the outcome then leaves known doubts instead of unknown ones.

export type DotMark = Readonly<{
  /**
   * Resolves once it is on record that the next hop may have the message for these recipients from now on: only then
   * the dot goes out. Rejects where it must not: the recipients are then somebody else's.
   */
  set(recipients: readonly string[], nextHop: string): Promise<void>
  /** The dot did not go out after all. Never rejects: a mark too many is a false alarm. */
  clear(recipients: readonly string[]): Promise<void>
}>
