// Faults at the door: guessed passwords, strangers, too many clients, a certificate that ends.
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { LASTING, writeCertificate } from '../certificate.ts'
import type { Fault } from '../fault.ts'

const CONNECTIONS = 15
const STRANGERS = 25
const nothing = async () => {}

let held: Socket[] = []

export const INGRESS_FAULTS: readonly Fault[] = [
  {
    what: 'passwords are guessed',
    stack: 'ingress',
    proves: [{ alert: 'HighAuthFailureRate', severity: 'warning' }],
    async inject(stack) {
      stack.repeat(300, () => stack.login(`nobody-${random()}`, random()))
    },
    heal: nothing,
  },
  {
    what: 'fifteen clients hold their connections open',
    stack: 'ingress',
    proves: [{ alert: 'HighActiveConnections', severity: 'warning' }],
    async inject({ gateway }) {
      held = Array.from({ length: CONNECTIONS }, () => connect(gateway.ports.smtp, '127.0.0.1').on('error', () => {}))
    },
    async heal() {
      for (const socket of held.splice(0)) socket.destroy()
    },
  },
  {
    what: 'twenty-five strangers write, one after the other',
    stack: 'ingress',
    proves: [{ alert: 'LargeGreylistingDatabase', severity: 'warning' }],
    async inject(stack) {
      for (let n = 0; n < STRANGERS; n++) await stack.send('clean', `stranger+${random()}@example.com`)
      // They are counted every minute, and at the start: that is quicker.
      await stack.gateway.restart()
    },
    async heal({ gateway }) {
      await gateway.elemta('greylist', 'forget', '127.0.0.0/24')
      await gateway.restart()
    },
  },
  {
    what: 'the certificate ends in twenty days',
    stack: 'ingress',
    proves: [{ alert: 'CertificateExpiring', severity: 'warning' }],
    inject: ({ dir }) => writeCertificate(dir, 20),
    heal: ({ dir }) => writeCertificate(dir, LASTING),
  },
  {
    what: 'the certificate ends in five days',
    stack: 'ingress',
    proves: [{ alert: 'CertificateExpiring', severity: 'critical' }],
    inject: ({ dir }) => writeCertificate(dir, 5),
    heal: ({ dir }) => writeCertificate(dir, LASTING),
  },
]

const random = () => randomBytes(6).toString('hex')
