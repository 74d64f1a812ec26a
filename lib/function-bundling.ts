// How functions are bundled, as plain data: for the deployment, and for whoever bundles them without one (`npm run bundle`).
// Dependencies are in the bundle, the SDK among them: a function that starts cold reads one file.

export const BUNDLING = {
  target: 'node24',
  mainFields: ['module', 'main'],
  // What was written for CommonJS asks for Node's own modules by require.
  banner: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  /** Ways to credentials that the SDK tries after the one that functions have, their environment; never loaded there. */
  externalModules: [
    '@aws-sdk/credential-provider-http',
    '@aws-sdk/credential-provider-ini',
    '@aws-sdk/credential-provider-login',
    '@aws-sdk/credential-provider-process',
    '@aws-sdk/credential-provider-sso',
    '@aws-sdk/credential-provider-web-identity',
    '@smithy/credential-provider-imds',
  ],
} as const
