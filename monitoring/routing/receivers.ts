// How each receiver of the routing tree is reached. One without any way is a receiver that tells nobody, as wanted for
// information without a channel, and for the Watchdog where no dead-man's switch is set up.
import type { RoutingSettings } from './settings.ts'
import { peopleOf, type ReceiverName } from './tree.ts'

export type Receiver = Readonly<{
  name: ReceiverName
  /** Addresses. */
  emails: readonly string[]
  /** Slack channels. */
  channels: readonly string[]
  /** POSTed to; a sign of life, without a word about resolution. */
  webhook?: string
}>

/** Every receiver that the tree of the same settings names. `deadMansUrl`: where its sign of life goes. */
export function receivers(settings: RoutingSettings, deadMansUrl: string | undefined): Receiver[] {
  const { email, slack, on_call } = settings
  const team = { emails: email?.to ?? [], channels: slack ? [slack.critical] : [] }
  const people = (line: 'first' | 'second'): Receiver[] =>
    peopleOf(on_call[line]).map(who => {
      const person = on_call.people[who]!
      return {
        name: line === 'first' ? `on-call-${who}` : `second-${who}`,
        emails: [person.email],
        channels: [person.slack ?? []].flat(),
      }
    })
  return [
    {
      name: 'dead-mans-switch',
      emails: [],
      channels: [],
      ...(deadMansUrl === undefined ? {} : { webhook: deadMansUrl }),
    },
    { name: 'critical', ...team },
    ...people('first'),
    { name: 'escalated', ...team },
    ...people('second'),
    // Without Slack a warning is still worth a message: better too many than none.
    { name: 'warning', emails: slack ? [] : team.emails, channels: slack ? [slack.warning] : [] },
    { name: 'info', emails: [], channels: [slack?.info ?? []].flat() },
  ]
}
