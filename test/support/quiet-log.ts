import { createLog, type Log } from '../../src/runtime/log.ts'

export const quietLog: Log = createLog({ name: 'test', level: 'silent' })
