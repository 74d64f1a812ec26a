// What the number of tasks follows, where it is no setting of a stage: for the constructs, and for the simulation.

/** Percent of a vCPU that SMTP servers use on average before there are more of them. */
export const INGRESS_CPU = 50

/** Seconds after a change of their number before workers become fewer, and more. */
export const COOLDOWN = { in: 300, out: 60 } as const

/** The function that delivers: MiB, which also buy its share of a processor, and jobs of one invocation. */
export const DELIVERY_FUNCTION = { memory: 512, batch: 10 } as const
