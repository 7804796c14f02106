import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const MODULE = join(import.meta.dirname, '..', '..', 'src', 'runtime', 'line-writer.ts')

/** Runs code with a writer to standard error; `reads`: whether anybody reads that. */
const runWith = (code: string, reads: boolean): ChildProcess => {
  const program = `import { createLineWriter } from ${JSON.stringify(MODULE)}; const writer = createLineWriter(2); ${code}`
  const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', program], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (!reads) child.stderr?.destroy()
  return child
}

const outcomeOf = async (child: ChildProcess): Promise<{ code: number | null; written: string }> => {
  let written = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    written += chunk.toString()
  })
  const [code]: unknown[] = await once(child, child.stderr?.destroyed ? 'exit' : 'close')
  return { code: typeof code === 'number' ? code : null, written }
}

const LATER = 'setTimeout(() => { writer.write("last\\n"); STEP }, 50)'
const endings = [
  ['comes to its end', ''],
  ['exits', 'process.exit(0)'],
  ['flushes and exits', 'writer.flush(() => process.exit(0))'],
] as const

describe('a line writer', () => {
  it.each(endings)('writes what is left when the process %s', async (_name, step) => {
    const code = `writer.write("first\\n"); ${LATER.replace('STEP', step)}`
    expect(await outcomeOf(runWith(code, true))).toEqual({ code: 0, written: 'first\nlast\n' })
  })

  it.each(endings)('lets the process end when nobody reads and it %s', async (_name, step) => {
    const code = `writer.write("first\\n"); ${LATER.replace('STEP', step)}`
    expect(await outcomeOf(runWith(code, false))).toMatchObject({ code: 0 })
  })

  it('keeps every line in its order, also for a reader that is slow', async () => {
    const child = runWith('for (let n = 0; n < 50_000; n += 1) writer.write(`line ${n}\\n`)', true)
    child.stderr?.pause()
    await new Promise((resolve) => child.stderr?.once('readable', resolve))
    const { code, written } = await outcomeOf(child)
    expect(code).toBe(0)
    expect(written.split('\n').slice(0, -1)).toEqual(
      Array.from({ length: 50_000 }, (_line, n) => `line ${n}`),
    )
  })

  it('writes before its timer when much is waiting, and calls back at once when nothing is', async () => {
    const code = `
      writer.flush(() => {
        writer.write('x'.repeat(40_000) + '\\n')
        setImmediate(() => process.stdout.write('gone on\\n'))
        writer.flush(() => writer.write('end\\n'))
      })`
    expect((await outcomeOf(runWith(code, true))).written).toBe(`${'x'.repeat(40_000)}\nend\n`)
  })
})
