import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { eventually } from '../support/eventually.ts'

const startStuck = () => {
  const child = spawn(process.execPath, [fileURLToPath(new URL('programs/stuck.ts', import.meta.url))])
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return { child, said: () => said }
}

it('a second Ctrl-C ends what is stuck, one that comes with the first does not', async () => {
  const { child, said } = startStuck()
  await eventually(() => expect(said()).toContain('ready'))
  child.kill('SIGINT')
  child.kill('SIGINT')
  await eventually(() => expect(said()).toContain('stopping'))
  await eventually(() => {
    child.kill('SIGINT')
    expect(child.exitCode).toBe(130)
  })
})

it.each(['SIGTERM', 'SIGHUP'] as const)(
  '%s, however often, lets what is under way finish',
  async (signal) => {
    const { child, said } = startStuck()
    await eventually(() => expect(said()).toContain('ready'))
    for (let count = 0; count < 3; count += 1) child.kill(signal)
    await eventually(() => expect(said()).toMatch(/stopping .*\.{15}/))
    child.kill(signal)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(child.signalCode).toBe('SIGKILL')
  },
)
