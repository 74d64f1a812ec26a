// Canaries: messages that the gateway sends to itself, to see that mail is taken, scanned and handed over. They are
// mail like any other, told apart by the domain of their recipient alone, which no DNS will ever know (RFC 2606 §2).

/** Nobody but the canary's own listener takes mail for it: see src/ingress/relay-control.ts. */
export const CANARY_DOMAIN = 'canary.elemta.invalid'

export const CANARY_KINDS = ['clean', 'eicar', 'gtube'] as const
export type CanaryKind = (typeof CANARY_KINDS)[number]

export const CANARY_RESULTS = ['passed', 'wrong', 'missing'] as const
/** `wrong`: it came to another end than it must; `missing`: to none in time. */
export type CanaryResult = (typeof CANARY_RESULTS)[number]

/** True for recipients of a canary. */
export function isCanary(recipients: readonly string[]): boolean {
  return recipients.length > 0 && recipients.every(recipient => recipient.endsWith(`@${CANARY_DOMAIN}`))
}
