import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type Browser, chromium, type Page } from 'playwright-core'
import { findOnPath, searchPathOf } from '../../src/local/nats-server.ts'

const run = promisify(execFile)

/** How long apt may take to get a Chromium with all that it needs, ms. */
const INSTALL_TIMEOUT_MS = 300_000

/** The Chromium without windows, for half of the CPU, then those that have them. */
const NAMES = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome']

/** The machine's Chromium; null when there is none. */
export const findChromium = async (): Promise<string | null> => {
  const searchPath = searchPathOf(process.env)
  for (const name of NAMES) {
    const found = await findOnPath(name, searchPath)
    if (found !== null) return found
  }
  return null
}

/** What apt may have it as: not every release has the first. */
const PACKAGES = ['chromium-headless-shell', 'chromium'] as const

/** Installs a Chromium by apt where the machine has none and we are root; says so, also where it is impossible. */
export const ensureChromium = async (say: (text: string) => void): Promise<void> => {
  if ((await findChromium()) !== null) return
  const none = 'NO CHROMIUM: the tests in test/browser are skipped'
  const aptGet = await findOnPath('apt-get', searchPathOf(process.env))
  if (aptGet === null || process.getuid?.() !== 0) {
    say(`${none}. Install it: apt-get install ${PACKAGES.join(' or ')}`)
    return
  }
  const options = {
    timeout: INSTALL_TIMEOUT_MS,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  }
  const install = async (name: string): Promise<void> => {
    say(`installing ${name} by apt-get, once`)
    const wait = ['-o', 'DPkg::Lock::Timeout=120']
    await run(aptGet, ['install', '--yes', '--no-install-recommends', ...wait, name], options)
  }
  try {
    await run(aptGet, ['update'], options)
    const [first, second] = PACKAGES
    await install(first).catch(() => install(second))
  } catch (error) {
    say(`${none}, for apt-get failed: ${String(error)}`)
  }
}

/** Starts a browser that asks nobody anything of its own accord. */
export const startBrowser = (executablePath: string): Promise<Browser> =>
  chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })

/** What a request says that the browser gives up, because another page is opened before it is answered. */
const GIVEN_UP = 'net::ERR_ABORTED'

/** Takes down from now on what `page` says that it should not, what fails to load, and what it asks of another than `origin`. */
export const hearComplaints = (page: Page, origin: string): string[] => {
  const complaints: string[] = []
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('requestfailed', (request) => {
    const why = request.failure()?.errorText
    if (why !== GIVEN_UP) complaints.push(`${request.url()} failed: ${why}`)
  })
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin) complaints.push(`asks ${request.url()}`)
  })
  return complaints
}
