import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ConnectServer, startConnectServer } from '../../src/core/server/connect.ts'
import { listen } from '../../src/runtime/listen.ts'
import { findChromium, startBrowser } from '../support/browser.ts'
import { startTestCore, type TestCore } from '../support/core.ts'

const CHROMIUM = await findChromium()

describe.skipIf(CHROMIUM === null)('gRPC-Web from a browser', () => {
  let test: TestCore
  let connect: ConnectServer
  let pages: Server
  let origin: string
  let browser: Browser

  beforeAll(async () => {
    test = await startTestCore()
    const script = await bundleClient()
    pages = createServer((request, response) => {
      const isScript = request.url === '/client.js'
      response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
      response.end(
        isScript
          ? script
          : '<!doctype html><link rel="icon" href="data:,"><script src="/client.js"></script>',
      )
    })
    origin = `http://127.0.0.1:${await listen(pages, '127.0.0.1', 0)}`
    connect = await startConnectServer({
      services: test.core.services,
      host: '127.0.0.1',
      port: 0,
      allowedOrigins: [origin],
    })
    browser = await startBrowser(CHROMIUM ?? '')
  })
  afterAll(async () => {
    await browser.close()
    await connect.close()
    pages.close()
    await test.stop()
  })

  /** Has a page of an origin pay; resolves with what it heard, and with what its console complained of. */
  const payFrom = async (pageUrl: string) => {
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    await page.goto(pageUrl)
    const given = [`http://127.0.0.1:${connect.port}`, test.apiKey, 'http://127.0.0.1:18499/callback']
    const heard = await page
      .evaluate<unknown>(`pay(...${JSON.stringify(given)})`)
      .catch((error: unknown) => String(error))
    await page.close()
    return { heard, complaints }
  }

  it('asks for a payment and hears of it by a stream, from a page of an origin that is allowed', async () => {
    const { heard, complaints } = await payFrom(origin)
    expect(complaints).toEqual([])
    expect(heard).toEqual({ paymentId: '1', heard: '1', number: 1 })
  })

  it('is kept from it by the browser on a page of any other origin', async () => {
    const { heard, complaints } = await payFrom(origin.replace('127.0.0.1', 'localhost'))
    expect(heard).toMatch(/Failed to fetch/)
    expect(complaints.join()).toContain('blocked by CORS policy')
  })
})

/** The client as a script that a page loads. */
const bundleClient = async (): Promise<string> => {
  const input = join(import.meta.dirname, 'grpc-web-client.ts')
  await using bundler = await rolldown({ input, platform: 'browser' })
  const { output } = await bundler.generate({ format: 'iife' })
  return output[0].code
}
