import { createDynamoPolicyStore } from '../../src/storage/policy-store-dynamodb.ts'
import { freshTable } from '../contract/dynamo-tables.ts'
import { policyStoreContract } from '../contract/policy-store.ts'

policyStoreContract(async () => {
  const table = await freshTable('policy')
  return { open: async () => createDynamoPolicyStore({ table }), dispose: async () => {} }
})
