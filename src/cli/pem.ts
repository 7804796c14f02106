import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { BadSettings } from '../runtime/config.ts'

/** The PEM file that the setting `name` leads to. Throws `BadSettings` where it cannot be read. */
export const readPem = async (name: string, file: string): Promise<Buffer> => {
  try {
    return await readFile(file)
  } catch (error) {
    throw new BadSettings(`${name} must be a file that can be read: ${messageOf(error)}`)
  }
}

/** True for a host that is this machine alone. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
