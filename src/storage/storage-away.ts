// Whether an error says that the storage cannot be used for now: a disk is full or breaks, a service of AWS refuses, is
// not reached or does not answer. That is nothing that a job could be blamed for. Everything else is not known to pass:
// what the storage finds wrong in a request (4xx) will be wrong the next time, too.

/** What files and SQLite (writer-thread-sqlite) answer then. */
const SYSTEM = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EMFILE', 'ENFILE'])

/** Refusals of AWS with a 4xx that mean: less, or later. */
const THROTTLED = new Set([
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'RequestTimeout',
  'ThrottlingException',
  'Throttling',
  'TooManyRequestsException',
  'TransactionInProgressException',
  'SlowDown',
])

/** Why a transaction was called off with nothing wrong in it: another was at the same item, or there was too much at once. */
export const PASSING = new Set(['TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded'])

type StorageError = Readonly<{
  name?: string
  code?: unknown
  /** The SDK gives it to every error that it ends a request with. */
  $metadata?: Readonly<{ httpStatusCode?: number }>
  CancellationReasons?: readonly Readonly<{ Code?: string }>[]
}>

export function isStorageAway(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  const { name = '', code, $metadata, CancellationReasons } = error as StorageError
  if (typeof code === 'string' && SYSTEM.has(code)) return true
  if ($metadata === undefined) return false
  if (CancellationReasons !== undefined)
    return CancellationReasons.every(({ Code = 'None' }) => Code === 'None' || PASSING.has(Code))
  // Without a status nobody answered.
  const { httpStatusCode = 500 } = $metadata
  return httpStatusCode >= 500 || httpStatusCode === 429 || THROTTLED.has(name)
}
