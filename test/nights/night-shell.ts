import { once } from 'node:events'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { delimiter, join } from 'node:path'
import { openTerminal } from '../docs/terminal.ts'
import { TESTED_GATEWAY } from '../support/tested-gateway.ts'

/** The machine as the person at night has it: a shell with `gateway`, and services that can be started. */
export type NightShell = {
  /** Types a command; resolves with what it printed, also when it failed. */
  type(command: string): Promise<string>
  close(): Promise<void>
}

/**
 * Opens it. `systemctl start NAME` and its like call `control`, and `journalctl -u NAME` prints what `log` has: there are
 * no services in a test, but what they do is done.
 */
export const openNightShell = async (options: {
  folder: string
  environment: Record<string, string>
  control: (verb: string, service: string) => Promise<void>
  log: (service: string) => string
}): Promise<NightShell> => {
  const server = createServer((request, response) => {
    const [, verb = '', service = ''] = (request.url ?? '').split('/')
    const done =
      verb === 'log' ? Promise.resolve(options.log(service)) : options.control(verb, service).then(() => '')
    done.then(
      (text) => response.end(text),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const bin = join(options.folder, 'bin')
  await mkdir(bin, { recursive: true })
  const programs = {
    gateway: `exec ${process.execPath} ${TESTED_GATEWAY} "$@"`,
    systemctl: `exec curl -sS "${url}/$1/$2"`,
    journalctl: `exec curl -sS "${url}/log/$2"`,
  }
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(join(bin, name), `#!/bin/sh\n${text}\n`)
    await chmod(join(bin, name), 0o755)
  }
  const terminal = openTerminal({
    ...options.environment,
    PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}`,
  })
  return {
    type: (command) => terminal.run(`{ ${command}\n} 2>&1 || echo "it ended with $?"`),
    close: async () => {
      await terminal.close()
      server.close()
      server.closeAllConnections()
    },
  }
}
