// A DynamoDB table as aws-schema describes it: on demand, encrypted, with its indexes and its time to live.
import { RemovalPolicy } from 'aws-cdk-lib'
import { AttributeType, ProjectionType, TableEncryptionV2, TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import { Construct } from 'constructs'
import type { TableSchema } from '../../src/storage/aws-schema.ts'
import type { DeploymentSettings } from '../deployment-settings.ts'
import { acknowledge } from './acknowledge.ts'

export type TableProps = Readonly<{
  schema: TableSchema
  data: DeploymentSettings['data']
  /** False for what may be forgotten. */
  pointInTimeRecovery: boolean
}>

export class Table extends Construct {
  readonly table: TableV2

  constructor(scope: Construct, id: string, { schema, data, pointInTimeRecovery }: TableProps) {
    super(scope, id)
    const key = (name: string) => ({ name, type: AttributeType.STRING })
    this.table = new TableV2(this, 'Table', {
      partitionKey: key(schema.partition),
      sortKey: key(schema.sort),
      globalSecondaryIndexes: schema.indexes.map(({ name, partition, sort, include }) => ({
        indexName: name,
        partitionKey: key(partition),
        sortKey: key(sort),
        ...(include === undefined
          ? { projectionType: ProjectionType.KEYS_ONLY }
          : { projectionType: ProjectionType.INCLUDE, nonKeyAttributes: [...include] }),
      })),
      timeToLiveAttribute: schema.timeToLive,
      // Always encrypted; AWS's own key costs nothing per request.
      encryption: TableEncryptionV2.dynamoOwnedKey(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: pointInTimeRecovery },
      deletionProtection: data.retain,
      removalPolicy: data.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    })
    if (!pointInTimeRecovery) {
      acknowledge(this.table, { DDB3: 'What is lost is learned again, or data.pointInTimeRecovery is switched off' })
    }
  }
}
