// Which certificate a client gets: by the name that it asked for (SNI, RFC 6066 §3). Pure.
import type { Certificate } from './certificate-files.ts'

/**
 * A choice among certificates, of which there is at least one: the name itself before a wildcard for one label
 * (RFC 6125 §6.4.3), of equals the one that stands first, and the first of all where none fits or no name was sent.
 */
export function createChoice(certificates: readonly [Certificate, ...Certificate[]]) {
  const byName = new Map<string, Certificate>()
  for (const certificate of certificates) {
    for (const name of certificate.names) if (!byName.has(name)) byName.set(name, certificate)
  }
  return (servername: string | undefined): Certificate => {
    const name = servername?.toLowerCase().replace(/\.$/, '') ?? ''
    return byName.get(name) ?? byName.get(name.replace(/^[^.]+/, '*')) ?? certificates[0]
  }
}
