// Where contents are kept: mail on its way, mail in quarantine, and the signatures that scanners load. Private, encrypted,
// over TLS only; who may what stands with the roles (access.ts). Contents have no expiry here: see aws-schema.
import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import { type IKey, Key } from 'aws-cdk-lib/aws-kms'
import { BlockPublicAccess, Bucket, BucketEncryption, type IBucket, ObjectOwnership } from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { MAIL_BUCKET } from '../../src/storage/aws-schema.ts'
import type { DeploymentSettings } from '../deployment-settings.ts'
import { acknowledge } from './acknowledge.ts'

export type MailBucketProps = Readonly<{ data: DeploymentSettings['data'] }>

const PRIVATE = {
  blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
  objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
  enforceSSL: true,
  minimumTLSVersion: 1.2,
} as const

export class MailBucket extends Construct {
  readonly bucket: Bucket

  constructor(scope: Construct, id: string, { data }: MailBucketProps) {
    super(scope, id)
    const removalPolicy = data.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY
    const { abortIncompleteUploads, noncurrentVersions } = MAIL_BUCKET.lifecycle
    const accessLogs = new Bucket(this, 'AccessLogs', {
      ...PRIVATE,
      encryption: BucketEncryption.S3_MANAGED,
      lifecycleRules: [{ id: 'forget', expiration: Duration.days(data.accessLogDays) }],
      removalPolicy,
    })
    acknowledge(accessLogs, { S1: 'It holds the access log of the other bucket: its own would fill itself' })

    const key = data.encryption === 'own-key' && new Key(this, 'Key', { enableKeyRotation: true, removalPolicy })
    this.bucket = new Bucket(this, 'Bucket', {
      ...PRIVATE,
      ...(key
        ? { encryption: BucketEncryption.KMS, encryptionKey: key as IKey, bucketKeyEnabled: true }
        : { encryption: BucketEncryption.S3_MANAGED }),
      // A content that was removed by mistake can be brought back for as long as the rule below says.
      versioned: true,
      lifecycleRules: [
        { id: 'abandoned-uploads', abortIncompleteMultipartUploadAfter: Duration.days(abortIncompleteUploads) },
        {
          id: 'replaced',
          noncurrentVersionExpiration: Duration.days(noncurrentVersions),
          expiredObjectDeleteMarker: true,
        },
      ],
      serverAccessLogsBucket: accessLogs as IBucket,
      removalPolicy,
    })
  }
}
