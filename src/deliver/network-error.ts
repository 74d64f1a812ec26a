// What went wrong on the network, in a few words for people. Pure.

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by the next hop',
  EPIPE: 'connection closed by the next hop',
  ETIMEDOUT: 'connection timed out',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  EADDRNOTAVAIL: 'the source address is not ours',
  ENOTFOUND: 'host not found',
  EAI_AGAIN: 'the name service did not answer',
}

type NetworkError = Error & { code?: string; reason?: string; errors?: readonly Error[] }

/** `connection refused` and the like; an error with several causes (a name with several addresses) by its first. */
export function describeNetworkError(error: NetworkError): string {
  const cause: NetworkError = error.errors?.[0] ?? error
  // OpenSSL puts file names and line numbers into its messages, and what people want to know into `reason`.
  return WORDS[cause.code ?? ''] ?? cause.reason ?? cause.message
}
