// A Lambda function of functions/<name>/handler.ts: Node 24 on ARM64, bundled by esbuild as one ES module with the SDK in it
// (a function that starts cold reads one file), its lines kept for as long as all the others. Bundled in this process:
// a program for each, started by npx, took longer than all the rest of `cdk synth`.
import { fileURLToPath } from 'node:url'
import { AssetHashType, DockerImage, type Duration } from 'aws-cdk-lib'
import {
  Architecture,
  Code,
  type FunctionProps,
  Function as Lambda,
  LoggingFormat,
  Runtime,
} from 'aws-cdk-lib/aws-lambda'
import type { Construct } from 'constructs'
import { bundleFunction } from '../function-bundling.ts'
import { acknowledge } from './acknowledge.ts'
import { logGroup } from './log-group.ts'

const FUNCTIONS = fileURLToPath(new URL('../../functions/', import.meta.url))

export type NodeFunctionProps = Readonly<{
  /** The folder in functions/. */
  name: string
  description: string
  logDays: number
  timeout: Duration
  memorySize: number
  environment?: Record<string, string>
}> &
  Pick<FunctionProps, 'vpc' | 'vpcSubnets' | 'securityGroups'>

export class NodeFunction extends Lambda {
  constructor(scope: Construct, id: string, { name, logDays, environment = {}, ...props }: NodeFunctionProps) {
    super(scope, id, {
      ...props,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      handler: 'index.handler',
      code: bundled(name),
      logGroup: logGroup(scope, `${id}Logs`, logDays),
      loggingFormat: LoggingFormat.TEXT,
      environment: { NODE_OPTIONS: '--enable-source-maps', ...environment },
    })
    acknowledge(this, {
      'IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]':
        'Writes to its log group; AWS keeps the policy up to date',
      'IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole]':
        'Network interfaces in the private subnets; AWS keeps the policy up to date',
    })
  }
}

/** Known by what is in the bundle: a change elsewhere in the repository deploys nothing. */
function bundled(name: string): Code {
  return Code.fromAsset(`${FUNCTIONS}${name}`, {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      image: DockerImage.fromRegistry('never-asked'),
      local: {
        tryBundle(directory) {
          bundleFunction(name, directory)
          return true
        },
      },
    },
  })
}
