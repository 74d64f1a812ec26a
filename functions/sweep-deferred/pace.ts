// How the function that brings deferred jobs back goes about it.

/** Jobs side by side: as many as there are connections. */
export const BATCH = 50
/** Milliseconds that a batch may take: none is begun when less of the function's time is left. */
export const RESERVE = 10_000
