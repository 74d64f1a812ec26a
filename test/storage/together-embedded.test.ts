import { togetherContract } from '../contract/together.ts'
import { embeddedHome } from './embedded-home.ts'

togetherContract(embeddedHome, { allOrNone: true })
