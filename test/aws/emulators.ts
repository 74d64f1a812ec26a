// What the emulators' CloudFormation does not know, by type and with the reason. Everything else of the templates is
// deployed to them. Of what they know they pass over some properties without a word: the lifecycle of a bucket, the time
// to live of a table. Those are looked at in the template only (test/lib/data-stack.test.ts).

/** No emulator: nobody else has them. */
const NOWHERE = {
  'AWS::APS::Workspace': 'Prometheus of AWS',
  'AWS::APS::RuleGroupsNamespace': 'Prometheus of AWS',
  'AWS::APS::AnomalyDetector': 'Prometheus of AWS',
  'AWS::Grafana::Workspace': 'Grafana of AWS',
  'Custom::ElemtaGrafanaContent': 'fills the Grafana of AWS',
  'AWS::ApplicationAutoScaling::ScalableTarget': 'nothing scales',
  'AWS::ApplicationAutoScaling::ScalingPolicy': 'nothing scales',
  'AWS::ECS::ClusterCapacityProviderAssociations': 'nothing runs tasks',
  'AWS::EC2::EIP': 'no addresses',
  'AWS::EC2::NatGateway': 'no addresses to give it',
  'AWS::EC2::FlowLog': 'no traffic',
  'AWS::EC2::SecurityGroupIngress': 'only rules within a group',
  'AWS::EC2::SecurityGroupEgress': 'only rules within a group',
}

export const LEFT_OUT: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  ministack: NOWHERE,
  localstack: {
    ...NOWHERE,
    'AWS::DynamoDB::GlobalTable': 'fetches its server from the internet',
    'AWS::Lambda::Function': 'runs them by Docker',
    'AWS::Lambda::Permission': 'of a function',
    'AWS::Lambda::EventSourceMapping': 'of a function',
    'AWS::Lambda::EventInvokeConfig': 'of a function',
    'AWS::ECS::Cluster': 'not in this edition',
    'AWS::ECS::Service': 'not in this edition',
    'AWS::ECS::TaskDefinition': 'not in this edition',
    'AWS::ElastiCache::SubnetGroup': 'not in this edition',
    'AWS::ElastiCache::ReplicationGroup': 'not in this edition',
    'AWS::ElasticLoadBalancingV2::LoadBalancer': 'not in this edition',
    'AWS::ElasticLoadBalancingV2::Listener': 'not in this edition',
    'AWS::ElasticLoadBalancingV2::TargetGroup': 'not in this edition',
  },
}
