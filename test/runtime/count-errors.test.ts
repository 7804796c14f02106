import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { countErrors } from '../../src/runtime/count-errors.ts'
import { createLog } from '../../src/runtime/log.ts'

describe('the errors of a log', () => {
  it.each([
    ['error', ['first', 'defect']],
    ['fatal', ['defect']],
    ['silent', []],
  ] as const)(
    'are counted also where the log begins at %s, and what is below that is not written',
    async (level, written) => {
      const registry = new Registry()
      let text = ''
      const log = createLog({
        name: 'test',
        level,
        onLine: countErrors(registry),
        to: { write: (line) => void (text += line) },
      })
      log.warn({ event: 'no_error' })
      log.child({ part: 'of it' }).error({ event: 'first' })
      log.fatal({ event: 'defect' })
      const counted = await registry.getSingleMetricAsString('gateway_log_errors_total')
      expect(counted).toContain('{level="error",event="first"} 1')
      expect(counted).toContain('{level="fatal",event="defect"} 1')
      expect([...text.matchAll(/"event":"(\w+)"/g)].map(([, event]) => event)).toEqual(written)
    },
  )
})
