import { jobQueueContract } from '../contract/job-queue.ts'
import { togetherContract } from '../contract/together.ts'
import { dynamoHome } from './dynamo-home.ts'

jobQueueContract(dynamoHome)
togetherContract(dynamoHome, { allOrNone: false })
