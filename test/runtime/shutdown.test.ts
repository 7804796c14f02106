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

it('SIGTERM, however often, lets what is under way finish', async () => {
  const { child, said } = startStuck()
  await eventually(() => expect(said()).toContain('ready'))
  for (let count = 0; count < 3; count += 1) child.kill('SIGTERM')
  await eventually(() => expect(said()).toMatch(/stopping .*\.{15}/))
  child.kill('SIGTERM')
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(child.signalCode).toBe('SIGKILL')
})
