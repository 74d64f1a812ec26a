// A Lambda function of functions/<name>/handler.ts: Node 24 on ARM64, bundled by esbuild as one ES module with the SDK in it
// (a function that starts cold reads one file), its lines kept for as long as all the others.
import { fileURLToPath } from 'node:url'
import type { Duration } from 'aws-cdk-lib'
import { Architecture, LoggingFormat, Runtime } from 'aws-cdk-lib/aws-lambda'
import { NodejsFunction, type NodejsFunctionProps, OutputFormat, SourceMapMode } from 'aws-cdk-lib/aws-lambda-nodejs'
import type { Construct } from 'constructs'
import { BUNDLING } from '../function-bundling.ts'
import { acknowledge } from './acknowledge.ts'
import { logGroup } from './log-group.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export type NodeFunctionProps = Readonly<{
  /** The folder in functions/. */
  name: string
  description: string
  logDays: number
  timeout: Duration
  memorySize: number
  environment?: Record<string, string>
}> &
  Pick<NodejsFunctionProps, 'vpc' | 'vpcSubnets' | 'securityGroups'>

export class NodeFunction extends NodejsFunction {
  constructor(scope: Construct, id: string, { name, logDays, environment = {}, ...props }: NodeFunctionProps) {
    super(scope, id, {
      ...props,
      entry: `${ROOT}functions/${name}/handler.ts`,
      projectRoot: ROOT,
      depsLockFilePath: `${ROOT}package-lock.json`,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      logGroup: logGroup(scope, `${id}Logs`, logDays),
      loggingFormat: LoggingFormat.TEXT,
      environment: { NODE_OPTIONS: '--enable-source-maps', ...environment },
      awsSdkConnectionReuse: false,
      bundling: {
        format: OutputFormat.ESM,
        target: BUNDLING.target,
        mainFields: [...BUNDLING.mainFields],
        externalModules: [...BUNDLING.externalModules],
        minify: true,
        sourceMap: true,
        sourceMapMode: SourceMapMode.DEFAULT,
        sourcesContent: false,
        bundleAwsSDK: true,
        banner: BUNDLING.banner,
      },
    })
    acknowledge(this, {
      'IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]':
        'Writes to its log group; AWS keeps the policy up to date',
      'IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole]':
        'Network interfaces in the private subnets; AWS keeps the policy up to date',
    })
  }
}
