// Lambda: the custom resource that fills an Amazon Managed Grafana workspace at each deployment. CloudFormation waits for
// an answer at a URL that it gives: every event is answered, a failure with its reason, or the stack would hang for an
// hour. Deleting leaves the content: it goes with the workspace.
import type { GrafanaContentProperties } from '../../monitoring/aws/function-contracts.ts'
import type { DataSource, GrafanaContent } from '../../monitoring/aws/grafana.ts'
import { withAccessToken } from './access-token.ts'
import { provision } from './provision.ts'
import { signedFetch } from './signed-fetch.ts'

export type CustomResourceEvent = Readonly<{
  RequestType: 'Create' | 'Update' | 'Delete'
  ResponseURL: string
  StackId: string
  RequestId: string
  LogicalResourceId: string
  PhysicalResourceId?: string
  ResourceProperties: GrafanaContentProperties
}>

export async function handler(event: CustomResourceEvent): Promise<void> {
  try {
    if (event.RequestType !== 'Delete') await provisionWorkspace(event.ResourceProperties)
    await answer(event, 'SUCCESS')
  } catch (error) {
    console.error(error)
    await answer(event, 'FAILED', (error as Error).message)
  }
}

async function provisionWorkspace(properties: GrafanaContentProperties): Promise<void> {
  const { workspaceId: id, grafanaService: endpoint, workspaceUrl: url, contentUrl, dataSources } = properties
  const content = JSON.parse(await signedFetch({ service: 's3', method: 'GET', url: contentUrl })) as GrafanaContent
  await withAccessToken({ endpoint, id }, token =>
    provision({ url, token }, { ...content, dataSources: JSON.parse(dataSources) as DataSource[] }),
  )
}

async function answer(event: CustomResourceEvent, Status: 'SUCCESS' | 'FAILED', Reason = 'done'): Promise<void> {
  const { ResponseURL, StackId, RequestId, LogicalResourceId, PhysicalResourceId, ResourceProperties } = event
  const body = {
    Status,
    Reason: Reason.slice(0, 1_000),
    StackId,
    RequestId,
    LogicalResourceId,
    PhysicalResourceId: PhysicalResourceId ?? `grafana-content-${ResourceProperties.workspaceId}`,
  }
  // The URL is signed for a request without a content type.
  const response = await fetch(ResponseURL, {
    method: 'PUT',
    headers: { 'content-type': '' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`CloudFormation took no answer: ${response.status}`)
}
