import { request } from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import { typeCommand } from '../support/command.ts'
import { startGatewayProcess } from '../support/gateway-process.ts'

const start = async (environment: Record<string, string>) => {
  const simulator = await startGatewayProcess('simulator', { SIMULATOR_PORT: '0', ...environment })
  onTestFinished(async () => void (await simulator.end()))
  return simulator
}

describe('the simulator as a process', () => {
  it('says in its ready line and in its log by which seed it misbehaves', async () => {
    const simulator = await start({
      SIMULATOR_SEED: '7',
      SIMULATOR_MISBEHAVIOURS: 'token-html-503=1,calls-back-twice=0.25',
    })
    const plan = { seed: 7, misbehaviours: { 'token-html-503': 1, 'calls-back-twice': 0.25 } }
    expect(simulator.ready).toMatchObject({ ready: true, process: 'simulator', ...plan })
    const answer = await request(
      `${simulator.ready['simulator_url']}/oauth/v1/generate?grant_type=client_credentials`,
      { headers: { authorization: `Basic ${Buffer.from('key:secret').toString('base64')}` } },
    )
    expect(answer.statusCode).toBe(503)
    expect(await answer.body.text()).toContain('Incapsula incident ID')
    await simulator.end()
    const line = simulator
      .log()
      .split('\n')
      .find((text) => text.includes('simulator listens'))
    expect(JSON.parse(line ?? '{}')).toMatchObject(plan)
  })

  it('draws a seed where none is set, and then gets nothing wrong', async () => {
    const { ready } = await start({})
    expect(ready).toMatchObject({ seed: expect.any(Number), misbehaviours: {} })
  })

  it.each([
    ['push-cutt=0.1', 'SIMULATOR_MISBEHAVIOURS names push-cutt, which the simulator does not know'],
    ['push-cut', 'SIMULATOR_MISBEHAVIOURS must be names with probabilities from 0 to 1'],
  ])('refuses to start with %s', async (misbehaviours, message) => {
    await expect(start({ SIMULATOR_MISBEHAVIOURS: misbehaviours })).rejects.toThrow(message)
  })
})

it('says why it cannot listen where no address of this machine is, without a trace of calls', async () => {
  const settings = { SIMULATOR_HOST: '203.0.113.9', SIMULATOR_PORT: '0' }
  const { code, stderr } = await typeCommand(['simulator'], settings)
  expect(code).toBe(1)
  expect(stderr).toBe(
    'listen EADDRNOTAVAIL: address not available 203.0.113.9: this machine has no such address\n',
  )
})
