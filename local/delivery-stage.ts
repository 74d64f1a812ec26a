// The delivery stage without what brings its jobs: made from the configuration, for a worker on its queue as for a function
// that is handed messages. Its connections to next hops are kept from one job to the next until it is closed.
import { createDeliverer, type Deliverer, type DelivererOptions } from '../src/deliver/deliverer.ts'
import { createDeliveryHandler } from '../src/deliver/delivery-job.ts'
import { createReporter } from '../src/deliver/report.ts'
import { createSink } from '../src/deliver/sink.ts'
import { createRelayControl } from '../src/ingress/relay-control.ts'
import type { DeliveryJob } from '../src/mail/job.ts'
import { createClockWatch } from '../src/platform/clock-watch.ts'
import { createDns } from '../src/platform/dns.ts'
import { createGiveUp } from '../src/spool/dead-letter.ts'
import type { JobRunOptions } from '../src/spool/job-run.ts'
import { canaryParts, withCanaries } from './canary/parts.ts'
import type { Parts } from './stage-parts.ts'

/** What runs a job needs to know (see src/spool/job-run.ts), and what is asked of the deliverer from outside. */
export type DeliveryStage = Omit<JobRunOptions<DeliveryJob>, 'queue'> & Pick<Deliverer, 'reroute' | 'resume' | 'close'>

/** `timeouts`: of attempts, where they must be shorter than usual. */
export function createDeliveryStage(parts: Parts, timeouts: DelivererOptions['timeouts'] = {}): DeliveryStage {
  const { config, backends, store, log, metrics, now } = parts
  const { concurrency, lifetime, retry_schedule: delays, delay_warning: delayWarning, dsn } = config.delivery
  const { routes, hostname } = config
  const dns = createDns(config.dns)
  const deliverer = createDeliverer({ routes, hostname, timeouts, dns, store, concurrency, now, log, metrics })
  const retrySchedule = { delays, lifetime }
  const { postmaster } = createRelayControl(config.relay, hostname)
  const reports = {
    backends,
    hostname,
    enabled: dsn.enabled,
    perSender: dsn.per_sender,
    doubleBounceTo: dsn.double_bounce === 'postmaster' ? postmaster : undefined,
    delayWarning,
    lifetime,
    log,
    metrics,
  }
  const clock = createClockWatch({ now, log })
  const common = { backends, retrySchedule, clock, claimTime: deliverer.longestAttempt, now, log, metrics }
  const mailHandler = createDeliveryHandler({ ...common, deliverer, reporter: createReporter(reports) })
  const apart = canaryParts({ log, metrics })
  const canaryHandler = createDeliveryHandler({
    ...common,
    ...apart,
    deliverer: createSink({ hostname }),
    reporter: createReporter({ ...reports, ...apart, enabled: false }),
  })
  return {
    stage: 'delivery',
    handle: withCanaries(mailHandler, canaryHandler),
    giveUp: createGiveUp(backends.deliveryJobs, { backends, now, log, metrics }),
    // The same claimant's claim once more, over at once: whoever gets the job next need not wait for its end.
    async letGo({ job: { queueId, recipients }, token }) {
      await backends.records.claim(queueId, recipients, { claimant: token, until: now() }, now())
    },
    log,
    metrics,
    reroute: deliverer.reroute,
    resume: deliverer.resume,
    close: deliverer.close,
  }
}
