import { recipientClaimsContract } from '../contract/recipient-claims.ts'
import { recipientListsContract } from '../contract/recipient-lists.ts'
import { recordRemovalContract } from '../contract/record-removal.ts'
import { recordStoreContract } from '../contract/record-store.ts'
import { dynamoHome } from './dynamo-home.ts'

recordStoreContract(dynamoHome)
recipientClaimsContract(dynamoHome)
recipientListsContract(dynamoHome)
recordRemovalContract(dynamoHome)
