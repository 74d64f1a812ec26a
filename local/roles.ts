// The stages that a gateway's process can run; apart from the gateway itself, so that the command line can name them
// without loading it.

export const ROLES = ['ingress', 'scan', 'delivery'] as const
export type Role = (typeof ROLES)[number]
