// What a gateway's process can run; apart from the gateway itself, so that the command line can name it without loading
// it. `upkeep` is what is done once for all processes of a home: sweeps, counts, canaries. The embedded home is one
// process, which does it in any case; on AWS functions do it (functions/).

export const ROLES = ['ingress', 'scan', 'delivery', 'upkeep'] as const
export type Role = (typeof ROLES)[number]
