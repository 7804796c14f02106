import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const MODULE = join(import.meta.dirname, '..', '..', 'src', 'runtime', 'crash-point.ts')

/** Passes points, each with how much is in hand, in a process armed with a path; tells what it came to. */
const pass = (path: string | undefined, ...points: [name: string, inHand?: number][]) => {
  const lines = [
    `import { armCrashPoint, crashPoint } from ${JSON.stringify(MODULE)}`,
    `import { writeSync } from 'node:fs'`,
    `armCrashPoint(${JSON.stringify(path)})`,
    ...points.map(
      ([name, inHand = 1]) => `crashPoint('${name}', ${inHand}); writeSync(1, ${JSON.stringify(`${name} `)})`,
    ),
  ]
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', lines.join('\n')], {
    encoding: 'utf8',
  })
  return { passed: child.stdout.trim(), signal: child.signal }
}

describe('a crash point', () => {
  it('does nothing unless it is armed', () => {
    expect(pass(undefined, ['a'], ['b'])).toEqual({ passed: 'a b', signal: null })
    expect(pass('c', ['a'], ['b'])).toEqual({ passed: 'a b', signal: null })
  })

  it('kills its process at once', () => {
    expect(pass('b', ['a'], ['b'], ['c'])).toEqual({ passed: 'a', signal: 'SIGKILL' })
  })

  it('is passed with nothing in hand', () => {
    expect(pass('a', ['a', 0], ['b'], ['a', 2])).toEqual({ passed: 'a b', signal: 'SIGKILL' })
  })

  it('waits for the points before it in the path', () => {
    expect(pass('b a a', ['a'], ['b'], ['a'], ['c'], ['a'])).toEqual({
      passed: 'a b a c',
      signal: 'SIGKILL',
    })
  })
})
