import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway({ serve: 1 })
})
afterAll(() => gateway.close())

it('a process of its own serves the reference with its script, the guide and the examples', async () => {
  const url = gateway.serve[0]?.ready['http_url']
  const read = async (path: string): Promise<string> => {
    const answer = await fetch(`${url}${path}`)
    expect([path, answer.status]).toEqual([path, 200])
    return answer.text()
  }
  const script = /docs\/reference-\w+\.js/.exec(await read('/docs'))?.[0]
  expect(await read(`/${script}`)).toContain('createApiReference')
  expect(await read('/docs/guide')).toContain('<h1 id="partner-guide">')
  expect(await read('/docs/verify/verify.php')).toContain('<?php')
})
