// A token for Grafana's own API that lives for minutes: made for a deployment, taken back after it. The service account
// stays, without any token; a deployment that finds one of its name uses it.
import { signedFetch } from './signed-fetch.ts'

const ACCOUNT = 'elemta-provisioning'
const TOKEN_SECONDS = 600

/** `endpoint`: https://grafana.<region>.amazonaws.com */
export type Workspace = Readonly<{ endpoint: string; id: string }>

/** Calls `use` with a token and takes it back, whatever comes of it. */
export async function withAccessToken<Result>(
  { endpoint, id }: Workspace,
  use: (token: string) => Promise<Result>,
): Promise<Result> {
  const accounts = `${endpoint}/workspaces/${id}/serviceaccounts`
  const account = (await accountOf(accounts)) ?? (await newAccount(accounts))
  const tokens = `${accounts}/${account}/tokens`
  const body = { name: `${ACCOUNT}-${Date.now()}`, secondsToLive: TOKEN_SECONDS }
  const made = JSON.parse(await signedFetch({ service: 'grafana', method: 'POST', url: tokens, body }))
  const { id: tokenId, key } = made.serviceAccountToken as { id: string; key: string }
  try {
    return await use(key)
  } finally {
    const url = `${tokens}/${tokenId}`
    // It ends by itself soon: a failure here is no reason to roll a deployment back.
    await signedFetch({ service: 'grafana', method: 'DELETE', url }).catch(error => console.warn(String(error)))
  }
}

async function accountOf(url: string): Promise<string | undefined> {
  const { serviceAccounts = [] } = JSON.parse(await signedFetch({ service: 'grafana', method: 'GET', url })) as {
    serviceAccounts?: { id: string; name: string }[]
  }
  return serviceAccounts.find(({ name }) => name === ACCOUNT)?.id
}

async function newAccount(url: string): Promise<string> {
  const body = { name: ACCOUNT, grafanaRole: 'ADMIN' }
  return JSON.parse(await signedFetch({ service: 'grafana', method: 'POST', url, body })).id
}
