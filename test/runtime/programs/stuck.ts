import { untilAskedToStop } from '../../../src/runtime/shutdown.ts'

// A process that is asked to stop and never does.
setInterval(() => process.stdout.write('.'), 100)
const asked = untilAskedToStop({ withParent: false })
process.stdout.write('ready ')
await asked
process.stdout.write('stopping ')
