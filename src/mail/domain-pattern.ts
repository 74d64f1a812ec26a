// Domains as a setting names them: `example.com` itself, `*.example.com` everything below it, `*` every one.
// Pure. Patterns and domains are lower-case A-labels, as the configuration and the address parser give them.

/** A matcher for domains. */
export function createDomainPatterns(patterns: readonly string[]): (domain: string) => boolean {
  const exact = new Set(patterns)
  if (exact.has('*')) return () => true
  return domain => {
    if (exact.has(domain)) return true
    for (let dot = domain.indexOf('.'); dot !== -1; dot = domain.indexOf('.', dot + 1)) {
      if (exact.has(`*${domain.slice(dot)}`)) return true
    }
    return false
  }
}
